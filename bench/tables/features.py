"""Columns as the other libraries take them: numbers in float64 and categories.

fastmlp reads the frame itself. For the others a careful user would do this: dates become numbers
and parts of the date, other texts categories; columns with a different text in nearly every row
are left out.
"""

from __future__ import annotations

import warnings
from typing import Any

# A text column with more distinct values than this share of its rows identifies rows.
MOST_DISTINCT = 0.5
SECONDS_OF_A_DAY = 86400.0


class Features:
    """Prepares the columns of a frame; what a column is depends on the training rows alone."""

    def __init__(self, train: Any) -> None:
        self.kinds = {name: _kind(train[name]) for name in train.columns}
        self.levels = {
            name: sorted(set(train[name].dropna().astype(str)))
            for name, kind in self.kinds.items()
            if kind == "category"
        }

    @property
    def categories(self) -> list[str]:
        """Names of the categorical columns."""
        return list(self.levels)

    def frame(self, rows: Any) -> Any:
        """Float64 columns with NaN, and category columns with the levels of the training rows."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for name, kind in self.kinds.items():
            if kind == "number":
                columns[name] = rows[name].astype("float64")
            elif kind == "date":
                columns.update(_date_parts(name, _dates(rows[name])))
            elif kind == "category":
                columns[name] = _codes(rows[name], self.levels[name])
        return pd.DataFrame(columns)


def _codes(column: Any, levels: list[str]) -> Any:
    """A categorical column; values that are no level are missing."""
    import pandas as pd

    index = {level: code for code, level in enumerate(levels)}
    texts = column.astype(object).map(str, na_action="ignore")
    codes = [index.get(text, -1) for text in texts]
    return pd.Categorical.from_codes(codes, categories=levels)


def _kind(column: Any) -> str:
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return "number"
    if _is_date(column):
        return "date"
    present = column.dropna()
    identifies = present.astype(str).nunique() > MOST_DISTINCT * max(len(present), 1)
    return "left out" if identifies else "category"


def _is_date(column: Any) -> bool:
    present = column.dropna()
    return len(present) > 0 and bool(_dates(present).notna().all())


def _dates(column: Any) -> Any:
    """Dates in UTC, NaT where a value is none."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pandas tells that it found no one format
        return pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")


def _date_parts(name: str, dates: Any) -> dict[str, Any]:
    import pandas as pd

    days = (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds() / SECONDS_OF_A_DAY
    parts = {
        "year": dates.dt.year,
        "month": dates.dt.month,
        "day": dates.dt.day,
        "weekday": dates.dt.day_of_week,
        "hour": dates.dt.hour,
    }
    return {name: days, **{f"{name} {part}": v.astype("float64") for part, v in parts.items()}}
