"""The kinds of columns (numbers, dates, levels), detected from their values.

pandas is imported inside the functions, because `fastmlp info` needs NumPy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastmlp.tabular.reading import TableError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "date", "categorical"]
Numbers = NDArray[np.float64]
Texts = NDArray[np.object_]

MISSING = "(missing)"  # the level of missing values
PARSED_SHARE = 0.95  # of a text column's values, for it to count as numbers or dates


def kind_of(column: pd.Series[Any]) -> Kind:
    """Detect the kind of a column; text counts as numbers or dates if nearly all of it is."""
    from pandas.api import types

    if types.is_complex_dtype(column):
        raise TableError(f"the column {column.name!r} holds complex numbers; want real ones")
    if types.is_bool_dtype(column) or isinstance(column.dtype, types.CategoricalDtype):
        return "categorical"
    if types.is_numeric_dtype(column):
        return "numeric"
    if types.is_datetime64_any_dtype(column):
        return "date"
    present = column.dropna()
    if len(present) == 0:
        return "numeric"
    # pandas would read True as a number.
    if types.infer_dtype(present) == "boolean":
        return "categorical"
    for kind in ("numeric", "date"):
        parsed = numbers_of(present, kind)
        if np.isfinite(parsed).mean() >= PARSED_SHARE:
            return kind
    return "categorical"


def numbers_of(column: pd.Series[Any], kind: Kind = "numeric") -> Numbers:
    """Return numbers, or days since 1970, as (N,) float64; NaN for what is neither."""
    import pandas as pd

    if kind == "date":
        moments = pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
        parsed = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    else:
        try:
            parsed = pd.to_numeric(column, errors="coerce")
        except OverflowError as error:
            raise TableError(
                f"the column {column.name!r} holds a whole number that is too large for float64"
            ) from error
    values = parsed.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def levels_of(column: pd.Series[Any]) -> Texts:
    """Return levels as (N,) text, `MISSING` for missing values."""
    import pandas as pd

    try:
        codes, values = pd.factorize(column)
    except TypeError as error:  # of cells that have no hash
        raise TableError(
            f"the column {column.name!r} holds lists, dicts or the like; want text or numbers"
        ) from error
    # The code of missing values is -1, which indexes the last entry.
    texts = np.array([*map(level_text, values), MISSING], dtype=object)
    found: Texts = texts[codes]
    return found


def level_text(value: Any) -> str:
    """Write a value as text, the same text for every kind of file that it may come from.

    Examples
    --------
    >>> [level_text(value) for value in (" red", 3.0, True, "TRUE", 0.5)]
    ['red', '3', 'True', 'True', '0.5']
    """
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.title() if text.lower() in ("true", "false") else text or MISSING
