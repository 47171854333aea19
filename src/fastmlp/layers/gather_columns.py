"""A layer that copies columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.base import WidthlessLayer

_MOST_COLUMNS = 2**31 - 1
_MOST_SHOWN = 8


class GatherColumns(WidthlessLayer):
    """Columns of the input in any order, also several times: ``y[:, j] = x[:, indices[j]]``.

    Shapes: ``(N, features) -> (N, len(indices))``. It makes copies of the input for the members of
    an ensemble (``numpy.tile(numpy.arange(features), members)``), subsets, permutations and
    repetitions of columns. Local gradients: each column of ``x`` gets the sum of the ``dy`` of its
    copies, added in ascending order; a column without copies gets 0.

    Parameters
    ----------
    indices : array_like of int, shape (out,)
        Columns of the input, from 0 on; at least one.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Raises
    ------
    ArgumentError
        When it joins a network, or at the first call, if the input has too few columns.

    Examples
    --------
    >>> import fastmlp as fm
    >>> twice = fm.GatherColumns([0, 1, 0, 1])
    >>> twice.forward([[2.0, 3.0]]).tolist()
    [[2.0, 3.0, 2.0, 3.0]]
    >>> twice.backward([[1.0, 2.0, 10.0, 20.0]]).tolist()
    [[11.0, 22.0]]
    """

    init_before = None

    def __init__(self, indices: Any, dtype: Any = None, seed: int | None = None) -> None:
        super().__init__(dtype, seed)
        self._indices = _checked(indices)
        self._some_width = int(self._indices.max()) + 1

    @property
    def indices(self) -> Array:
        """Columns of the input, int64. Read-only: a network that holds the layer has them."""
        return self._indices

    def width_after(self, *widths: int) -> int:
        if widths[0] < self._some_width:
            raise ArgumentError(
                f"indices: got {self._some_width - 1}; want 0 to {widths[0] - 1}, the columns of "
                "the input"
            )
        return len(self._indices)

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        out = self.width_after(*widths)
        return Node("gather_columns", sources, widths[0], out, indices=self._indices)

    def describe(self) -> dict[str, Any]:
        return {"type": type(self).__name__, "indices": self._indices.tolist()}

    def __repr__(self) -> str:
        shown = ", ".join(map(str, self._indices[:_MOST_SHOWN]))
        rest = f", ... {len(self._indices):,} in all" if len(self._indices) > _MOST_SHOWN else ""
        return f"GatherColumns(indices=[{shown}{rest}])"


def _checked(value: Any) -> Array:
    """Return the indices as an array of our own that nobody can write."""
    array = validation.numeric(value, "indices")
    wanted = f"whole numbers from 0 to {_MOST_COLUMNS - 1}, shape (out,)"
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        got = f"{array.dtype} of shape {array.shape}"
        raise ArgumentError(f"indices: got {got}; want {wanted}")
    wrong = np.flatnonzero((array < 0) | (array >= _MOST_COLUMNS))
    if wrong.size:
        raise ArgumentError(f"indices: got {array[wrong[0]]} at position {wrong[0]}; want {wanted}")
    own = np.array(array, np.int64)
    own.flags.writeable = False
    return own
