"""The softmax layer."""

from __future__ import annotations

from fastmlp.base.node import Node
from fastmlp.layers.base import WidthlessLayer


class Softmax(WidthlessLayer):
    """Softmax of each row, scores to probabilities: ``y_j = exp(x_j) / sum_k exp(x_k)``.

    Input and output have the same shape, ``(N, features)`` or ``(features,)``. Local gradient:
    ``dx = y * (dy - sum_k dy_k y_k)``. ``CrossEntropyLoss`` takes scores, not these probabilities.

    Parameters
    ----------
    dtype : {"float32", "float64"}, optional
        Used while the layer is alone; by default float64 for float64 input, else float32.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Softmax().forward([[1.0, 1.0]]).tolist()
    [[0.5, 0.5]]
    """

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return Node("softmax", sources, widths[0], widths[0])
