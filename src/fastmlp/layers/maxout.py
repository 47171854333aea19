"""The maxout layer."""

from __future__ import annotations

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.layers.base import WidthlessLayer


class Maxout(WidthlessLayer):
    """The largest of ``pieces`` linear functions: a ``Linear`` of ``pieces`` times as many outputs,
    then ``y_j = max_p x[p * out + j]`` (Goodfellow et al., "Maxout networks", ICML 2013).

    ``(N, pieces * out) -> (N, out)``. Local gradients: the largest piece gets ``dy``, the others 0;
    of equal ones the first gets all.

    Parameters
    ----------
    pieces : int
        At least 2; it divides the input's width.
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
        self.pieces = validation.integer(pieces, "pieces", 2, 2**31 - 1)

    def width_after(self, *widths: int) -> int:
        if widths[0] % self.pieces:
            raise ArgumentError(f"pieces: got {self.pieces}; want a divisor of {widths[0]}")
        return widths[0] // self.pieces

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> _core.Node:
        return ("maxout", sources, widths[0], self.width_after(*widths), 0, 0.0, 0.0, False)
