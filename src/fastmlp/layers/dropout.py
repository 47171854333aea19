"""The dropout layer."""

from __future__ import annotations

from typing import Any

from fastmlp.base import validation
from fastmlp.base.node import Node
from fastmlp.layers.base import WidthlessLayer


class Dropout(WidthlessLayer):
    """In training, zero each element with probability ``p`` and scale the rest by ``1 / (1 - p)``.

    Outside training it is the identity (Srivastava et al., 2014). Input and output have the same
    shape, ``(N, features)`` or ``(features,)``. The mask is a pure function of the seed, the
    layer's position in the network and the number of training passes so far.

    Parameters
    ----------
    p : float, default 0.5
        Probability of zeroing, from 0 to 1; at 1 every element becomes 0.
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.
    seed : int, optional
        Used while the layer is alone; drawn from the system's entropy by default.

    Examples
    --------
    >>> import fastmlp as fm
    >>> drop = fm.Dropout(0.5, seed=0)
    >>> drop.forward([[1.0, 2.0]]).tolist()
    [[1.0, 2.0]]
    >>> set(drop.forward([[1.0] * 8], training=True).ravel().tolist()) <= {0.0, 2.0}
    True
    """

    init_before = None
    _shows_defaults = True

    def __init__(self, p: float = 0.5, dtype: Any = None, seed: int | None = None) -> None:
        super().__init__(dtype, seed)
        self._p = validation.real(p, "p", 0.0, 1.0)

    @property
    def p(self) -> float:
        """Probability of zeroing; read-only, because a network has it built in."""
        return self._p

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return Node("dropout", sources, widths[0], widths[0], params=(self._p,))
