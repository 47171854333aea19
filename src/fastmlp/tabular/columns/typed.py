"""Columns whose type the table tells: numbers, dates, truth values and categories."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.tabular.columns.cells import Cells, factorised, trimmed
from fastmlp.tabular.columns.dates import without_open_years
from fastmlp.tabular.columns.numbers import finite
from fastmlp.tabular.reading.arrow import numbers, strings, values_of
from fastmlp.tabular.reading.memory import level_text

DAY = 86_400.0  # seconds
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def class_of(array: Any) -> str:
    """Return what the type of a pyarrow array says: "numbers", "dates", "hours", "levels", "text".

    Also "nothing" for a column of nulls, and "" for types that nothing can be learnt from.
    """
    from pyarrow import types

    kind = array.type
    if types.is_null(kind):
        return "nothing"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "numbers"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "dates"
    if types.is_time(kind) or types.is_duration(kind):
        return "hours"
    if types.is_boolean(kind) or types.is_dictionary(kind):
        return "levels"
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return "text" if text or _is_binary_text(array) else ""


def storage(array: Any) -> Any:
    """Return a column without extension types, and text as plain text."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if types.is_run_end_encoded(array.type):
        return pa.compute.run_end_decode(array)
    if types.is_dictionary(array.type) and array.dictionary.null_count:
        array = array.dictionary_decode()
    binary = types.is_binary(array.type) or types.is_large_binary(array.type)
    if types.is_string_view(array.type) or types.is_large_string(array.type):
        return array.cast(pa.string())
    return array.cast(pa.string()) if binary and _is_binary_text(array) else array


def numbers_of(array: Any) -> NDArray[np.float64]:
    """Return a column of numbers, truth values or durations as float64, NaN where missing."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_time(array.type) or types.is_duration(array.type):
        per_hour = 3600 * UNITS[array.type.unit]
        whole = array.cast(pa.int32() if types.is_time32(array.type) else pa.int64())
        return numbers_of(whole) / per_hour
    if types.is_boolean(array.type):
        array = array.cast(pa.int8())
    found = pa.compute.cast(array, pa.float64(), safe=False)
    return finite(values_of(found, np.nan))


def days_of(array: Any) -> NDArray[np.float64]:
    """Return dates and moments as days since 1970; NaN where missing, and in years 1 and 9999."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_date32(array.type):
        return without_open_years(numbers_of(array.cast(pa.int32())))
    unit = "ms" if types.is_date64(array.type) else array.type.unit
    whole = array.cast(pa.int64())
    return without_open_years(numbers_of(whole) / (DAY * UNITS[unit]))


def cells_of_typed(array: Any) -> Cells:
    """Return the cells of any column: what its values are as text."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_string(array.type):
        return factorised(array)
    if not types.is_dictionary(array.type):
        array = array.dictionary_encode()
    codes = values_of(array.indices.cast(pa.int32()), -1)
    texts = [None if value is None else level_text(value) for value in array.dictionary.to_pylist()]
    values = trimmed(strings(texts))
    return Cells(values, codes, np.bincount(codes[codes >= 0], minlength=len(values)))


def texts_of(array: Any) -> Any:
    """Return any column as a pyarrow array of text, one for each row; whole numbers are exact."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_string(array.type):
        return array
    if types.is_integer(array.type):
        return array.cast(pa.string())
    cells = cells_of_typed(array)
    assert cells.codes is not None
    return cells.values.take(numbers(cells.codes, cells.codes >= 0))


def _is_binary_text(array: Any) -> bool:
    import pyarrow as pa
    from pyarrow import types

    if not (types.is_binary(array.type) or types.is_large_binary(array.type)):
        return False
    try:
        array.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True
