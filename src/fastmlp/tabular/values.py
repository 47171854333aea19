"""What the columns of a table hold: numbers, dates or levels, found by looking at the values.

pandas is imported inside the functions, because `fastmlp info` needs NumPy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "date", "categorical"]
Numbers = NDArray[np.float64]
Texts = NDArray[np.object_]

MISSING = "(missing)"  # the level of values that are not there
PARSED_SHARE = 0.95  # of a text column's values, for it to count as numbers or dates


def kind_of(column: pd.Series[Any]) -> Kind:
    """Tell what a column holds; text is read as numbers or dates where nearly all of it is."""
    from pandas.api import types

    if types.is_bool_dtype(column) or isinstance(column.dtype, types.CategoricalDtype):
        return "categorical"
    if types.is_numeric_dtype(column):
        return "numeric"
    if types.is_datetime64_any_dtype(column):
        return "date"
    present = column.dropna()
    if len(present) == 0:
        return "numeric"
    # To pandas, True is a number.
    if types.infer_dtype(present) == "boolean":
        return "categorical"
    for kind in ("numeric", "date"):
        parsed = numbers_of(present, kind)
        if np.isfinite(parsed).mean() >= PARSED_SHARE:
            return kind
    return "categorical"


def numbers_of(column: pd.Series[Any], kind: Kind = "numeric") -> Numbers:
    """Numbers, or days since 1970, as (N,) float64; NaN where there is none."""
    import pandas as pd

    if kind == "date":
        moments = pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
        parsed = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    else:
        parsed = pd.to_numeric(column, errors="coerce")
    values = parsed.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def levels_of(column: pd.Series[Any]) -> Texts:
    """Levels as (N,) text, `MISSING` where there is none."""
    import pandas as pd

    codes, values = pd.factorize(column)
    # Missing values have the code -1: the last entry.
    texts = np.array([*map(level_text, values), MISSING], dtype=object)
    found: Texts = texts[codes]
    return found


def level_text(value: Any) -> str:
    """Write one value as the same text, whatever kind of file it was read from.

    Examples
    --------
    >>> [level_text(value) for value in (" red", 3.0, True, "TRUE", 0.5)]
    ['red', '3', 'True', 'True', '0.5']
    """
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.title() if text.lower() in ("true", "false") else text or MISSING
