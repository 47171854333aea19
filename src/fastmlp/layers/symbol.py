"""Symbols stand for the values of a graph while it is being described."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from fastmlp.layers.base import Layer


class Symbol:
    """A value of a graph: an input, or the output of a layer called on other symbols.

    ``a + b`` is ``Add()(a, b)`` and ``a * b`` is ``Multiply()(a, b)``.

    Attributes
    ----------
    width : int
        Number of columns of the value.
    shape : tuple of int
        Shape of one row: ``(width,)``, or the two sizes of a matrix in row-major order.
    layer : Layer or None
        The layer that computes the value; None for an input.
    sources : tuple of Symbol
        The inputs of that layer.
    name : str or None

    Examples
    --------
    >>> import fastmlp as fm
    >>> x = fm.Input(4, "x")
    >>> (x + fm.ReLU()(x)).named("y")
    <y: (N, 4)>
    """

    __slots__ = ("layer", "name", "shape", "sources", "width")

    if TYPE_CHECKING:  # layers.joins defines them, with the layers that they make

        def __add__(self, other: Symbol) -> Symbol: ...
        def __radd__(self, other: int) -> Symbol: ...
        def __mul__(self, other: Symbol) -> Symbol: ...

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
        """Return the output of ``layer`` for ``sources``; raise if they do not fit."""
        for source in sources:
            if not isinstance(source, Symbol):
                raise ArgumentTypeError(
                    f"{layer!r}: got {type(source).__name__}; want symbols of a graph, made by "
                    "Input (for arrays, call forward)"
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
        """Set the name of this value in the graph; return the symbol."""
        self.name = validation.name(name, "name")
        return self

    def __repr__(self) -> str:
        made = "Input" if self.layer is None else repr(self.layer)
        return f"<{self.name or made}: (N, {self.width})>"
