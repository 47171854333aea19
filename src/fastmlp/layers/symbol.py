"""Symbols: values of a graph that is being described, before any number is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastmlp import validation
from fastmlp.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from fastmlp.layers.base import Layer


class Symbol:
    """What a layer gives in a graph: made by ``Input`` and by calling layers on other symbols.

    ``a + b``, ``a * b`` are ``Add()(a, b)``, ``Multiply()(a, b)``.

    Attributes
    ----------
    width : int
        Columns of the value.
    shape : tuple of int
        What a row holds: ``(width,)``, or two sizes of a matrix, by rows.
    layer : Layer or None
        Who makes it; None for an input.
    sources : tuple of Symbol
        What the layer reads.
    name : str or None

    Examples
    --------
    >>> import fastmlp as fm
    >>> x = fm.Input(4, "x")
    >>> (x + fm.ReLU()(x)).named("y")
    <y: (N, 4)>
    """

    __slots__ = ("layer", "name", "shape", "sources", "width")

    def __init__(
        self,
        shape: tuple[int, ...],
        layer: Any = None,
        sources: tuple[Symbol, ...] = (),
        name: Any = None,
    ) -> None:
        self.shape, self.width = shape, math.prod(shape)
        self.layer, self.sources, self.name = layer, sources, name

    @classmethod
    def of(cls, layer: Layer, sources: tuple[Any, ...], name: str | None = None) -> Symbol:
        """Return what ``layer`` makes of ``sources``; raise if they do not fit."""
        for source in sources:
            if not isinstance(source, Symbol):
                raise ArgumentTypeError(
                    f"{layer!r}: got {type(source).__name__}; want symbols of a graph, made by "
                    "Input (for arrays, use forward)"
                )
        least, most = layer.n_inputs
        if not least <= len(sources) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise ArgumentError(f"{layer!r}: got {len(sources)} inputs; want {wanted}")
        try:
            shape = layer.shape_after(*(source.shape for source in sources))
        except ArgumentError as error:
            raise ArgumentError(f"{layer!r}: {error}") from None
        return cls(shape, layer, sources, name)

    def named(self, name: str) -> Symbol:
        """Give this value a name, by which the graph then knows it; return it."""
        self.name = validation.name(name, "name")
        return self

    def __add__(self, other: Any) -> Symbol:
        from fastmlp.layers.joins import Add

        return Add()(self, other) if isinstance(other, Symbol) else NotImplemented

    def __radd__(self, other: Any) -> Symbol:
        # sum() begins with 0.
        return self if type(other) is int and other == 0 else NotImplemented

    def __mul__(self, other: Any) -> Symbol:
        from fastmlp.layers.joins import Multiply

        return Multiply()(self, other) if isinstance(other, Symbol) else NotImplemented

    def __repr__(self) -> str:
        made = "Input" if self.layer is None else repr(self.layer)
        return f"<{self.name or made}: (N, {self.width})>"


def Input(width: int | tuple[int, int], name: str | None = None) -> Symbol:
    """Make an input of a graph: rows of ``width`` numbers.

    Parameters
    ----------
    width : int, or two of them
        At least 1. Two are the sizes of a matrix, for ``MatMul``: arrays are (N, rows * cols).
    name : str, optional
        By which ``Graph`` takes arrays for it; ``"x"`` (``"x0"``, ``"x1"``, ...) by default.

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
    """Make a parameter of a graph: an array that training adjusts, the same for every row.

    Parameters
    ----------
    *sizes : int
        One for a vector, two for a matrix.
    init : initializer or str, optional
        First values; Xavier uniform by default.
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
    from fastmlp.layers.products import Parameter as Layer

    given = None if name is None else validation.name(name, "name")
    return Symbol.of(Layer(sizes, init), (), given)
