"""Inputs and parameters of a graph: the symbols that do not come from calling a layer."""

from __future__ import annotations

from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError
from fastmlp.layers import products
from fastmlp.layers.symbol import Symbol


def Input(width: int | tuple[int, int], name: str | None = None) -> Symbol:
    """Make an input of a graph: rows of ``width`` numbers.

    Parameters
    ----------
    width : int or (int, int)
        At least 1. Two numbers are the sizes of a matrix for ``MatMul``; arrays are then
        (N, rows * cols).
    name : str, optional
        The name of the input in ``Graph``; ``"x"`` (``"x0"``, ``"x1"``, ...) by default.

    Examples
    --------
    >>> import fastmlp as fm
    >>> x = fm.Input(4)
    >>> fm.Linear(4, 2)(x)
    <Linear(in_features=4, out_features=2): (N, 2)>
    """
    sizes = tuple(width) if isinstance(width, (tuple, list)) else (width,)
    if not 1 <= len(sizes) <= 2:
        raise ArgumentError(f"width: got {validation.shown(width)}; want one or two sizes")
    return Symbol(
        tuple(validation.size(size, "width") for size in sizes),
        name=None if name is None else validation.name(name, "name"),
    )


def Parameter(*sizes: int, init: Any = None, name: str | None = None) -> Symbol:
    """Make a parameter of a graph: a trainable array that is the same for every row.

    Parameters
    ----------
    *sizes : int
        One number for a vector, two for a matrix.
    init : initializer or str, optional
        Initial values; Xavier uniform by default.
    name : str, optional

    Returns
    -------
    Symbol
        Its ``layer`` has the array as ``W`` and the gradient as ``dW``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> x, W = fm.Input(3), fm.Parameter(3, 2, init="zeros")
    >>> net = fm.Graph(x, fm.MatMul()(x, W))
    >>> net.predict([[1.0, 2.0, 3.0]]).tolist()
    [[0.0, 0.0]]
    """
    given = None if name is None else validation.name(name, "name")
    return Symbol.of(products.Parameter(sizes, init), (), given)
