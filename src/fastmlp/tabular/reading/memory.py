"""Tables from memory: data frames of pandas, polars and pyarrow, and dicts of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base.errors import ArgumentTypeError
from fastmlp.base.validation import shown
from fastmlp.tabular.reading.arrow import numbers, strings
from fastmlp.tabular.reading.errors import TableError
from fastmlp.tabular.reading.frame import Frame, named

if TYPE_CHECKING:
    import pandas as pd

WANTED = "a data frame, a dict of columns, or the path of a file"


def frame_from_memory(table: Any) -> Frame:
    """Return a table in memory as a frame; columns are not copied where the layout allows it.

    Raises
    ------
    ArgumentTypeError
        `table` is no table.
    TableError
        It has no rows, columns of different lengths, or two columns of one name.
    """
    import pyarrow as pa

    if isinstance(table, (pa.Table, pa.RecordBatch)):
        return from_arrow(pa.table(table), "the table")
    if type(table).__module__.partition(".")[0] == "pandas" and hasattr(table, "iloc"):
        return _from_pandas(table)
    if isinstance(table, Mapping):
        return _from_columns(table)
    if type(table).__name__ == "LazyFrame":  # of polars too
        table = table.collect()
    if hasattr(table, "to_arrow"):  # polars
        return from_arrow(table.to_arrow(), "the table")
    if hasattr(table, "__arrow_c_stream__"):
        return from_arrow(pa.table(table), "the table")
    raise ArgumentTypeError(f"table: got {type(table).__name__}; want {WANTED}")


def from_arrow(table: Any, what: str) -> Frame:
    """Take a pyarrow.Table; index columns that pandas stored in it become no columns."""
    return Frame(named(table.unify_dictionaries(), table.column_names, what))


def _from_pandas(frame: pd.DataFrame) -> Frame:
    import pyarrow as pa

    if frame.ndim != 2:
        raise ArgumentTypeError(f"table: got {type(frame).__name__}; want {WANTED}")
    columns = [_from_series(frame.iloc[:, i]) for i in range(frame.shape[1])]
    return Frame(_table(columns, list(frame.columns), len(frame), pa))


def _table(columns: Sequence[Any], names: Sequence[Any], rows: int, pa: Any) -> Any:
    numbers = [str(i) for i in range(len(columns))]
    table = pa.table(dict(zip(numbers, columns, strict=True)))
    if not columns and rows:
        raise TableError("the table has no columns")
    return named(table, names, "the table")


def _from_series(series: pd.Series[Any]) -> Any:
    """Return a pandas column as a pyarrow.Array."""
    import pandas as pd

    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    elif isinstance(series.dtype, pd.IntervalDtype):
        series = series.astype(str).where(series.notna(), None)
    elif isinstance(series.dtype, pd.SparseDtype):
        series = series.sparse.to_dense()
    elif isinstance(series.dtype, pd.CategoricalDtype):
        return _from_categories(series)
    return array_of(series)


def _from_categories(series: pd.Series[Any]) -> Any:
    import pyarrow as pa

    codes = series.cat.codes.to_numpy()
    levels = [level_text(value) for value in series.cat.categories]
    indices = numbers(codes.astype(np.int32), codes >= 0)
    return pa.DictionaryArray.from_arrays(indices, strings(levels))


def _from_columns(columns: Mapping[Any, Any]) -> Frame:
    import pyarrow as pa

    arrays = [_from_values(name, values) for name, values in columns.items()]
    lengths = {str(name): len(array) for name, array in zip(columns, arrays, strict=True)}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise TableError(f"the columns do not make a table: {found} rows")
    return Frame(_table(arrays, list(columns), 0, pa))


def _from_values(name: Any, values: Any) -> Any:
    if type(values).__module__.partition(".")[0] == "pandas":
        import pandas as pd

        return _from_series(pd.Series(values))
    if isinstance(values, (str, bytes, Mapping, Set)) or not hasattr(values, "__len__"):
        wanted = "an array with one value for each row"
        raise TableError(f"the column {name!r} is {shown(values)}; want {wanted}")
    if getattr(values, "ndim", 1) != 1:
        raise TableError(f"the columns do not make a table: {name!r} has {values.ndim} dimensions")
    if isinstance(values, np.ndarray) and values.dtype.kind in "US":
        values = values.astype(object)
    return array_of(values if hasattr(values, "dtype") else list(values))


def array_of(values: Any) -> Any:
    """Return values as a pyarrow.Array; values of different types become text."""
    import pyarrow as pa

    values = unmasked(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf" and values.itemsize <= 8:
        return numbers(values.astype(values.dtype.newbyteorder("=")))
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        array = _texts(values)
    # Columns of pandas may come in pieces.
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def unmasked(values: Any) -> Any:
    """Return a masked array with None in the place of masked values, and others as they are."""
    if not (isinstance(values, np.ndarray) and hasattr(values, "mask")):
        return values
    found = np.array(values, dtype=object, subok=False)
    found[np.broadcast_to(values.mask, values.shape)] = None
    return found


class _Unfit(Exception):
    """Values are neither text nor numbers."""


def _texts(values: Any) -> Any:
    """Return values of different types as text; for others, nulls of a type that names them."""
    import pyarrow as pa

    try:
        return strings([_text_or_none(value) for value in values])
    except _Unfit as unfit:
        return pa.nulls(len(values), pa.struct([(str(unfit), pa.null())]))


def _text_or_none(value: Any) -> Any:
    if value is None or (isinstance(value, float) and value != value):
        return None
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, complex):
        raise _Unfit("complex numbers")
    if isinstance(value, (list, tuple, dict, set, np.ndarray)):
        raise _Unfit("lists, dicts or the like")
    return level_text(value)


def level_text(value: Any) -> str:
    """Write a value as text, the same text for every kind of table that it may come from.

    Examples
    --------
    >>> [level_text(value) for value in (" red", 3.0, True, "TRUE", 0.5)]
    ['red', '3', 'True', 'True', '0.5']
    """
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.title() if text.lower() in ("true", "false") else text
