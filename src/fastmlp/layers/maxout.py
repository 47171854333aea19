"""The maxout layer."""

from __future__ import annotations

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.base.node import Node
from fastmlp.layers.base import WidthlessLayer


class Maxout(WidthlessLayer):
    """Maximum over ``pieces`` groups of columns: ``y_j = max_p x[p * out + j]``.

    Shapes: ``(N, pieces * out) -> (N, out)``. After a ``Linear`` with ``pieces * out`` outputs, it
    gives the largest of ``pieces`` linear functions (Goodfellow et al., "Maxout networks", ICML
    2013). Local gradients: the largest piece gets ``dy``, the others 0. Of equal pieces the first
    one gets all.

    Parameters
    ----------
    pieces : int
        At least 2; must divide the width of the input.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Maxout(2).forward([[1.0, 5.0, 3.0, 4.0]]).tolist()
    [[3.0, 5.0]]
    """

    def __init__(self, pieces: int, dtype: object = None, seed: int | None = None) -> None:
        super().__init__(dtype, seed)
        self.pieces = self._some_width = validation.integer(pieces, "pieces", 2, 2**31 - 1)

    def width_after(self, *widths: int) -> int:
        if widths[0] % self.pieces:
            raise ArgumentError(f"pieces: got {self.pieces}; want a divisor of {widths[0]}")
        return widths[0] // self.pieces

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return Node("maxout", sources, widths[0], self.width_after(*widths))
