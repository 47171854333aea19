"""Symbols: values of a graph that is being described, before any number is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from fastmlp.layers.base import Layer


class Symbol:
    """What a layer gives in a graph: made by ``Input`` and by calling layers on other symbols.

    ``a + b``, ``a * b`` are ``Add()(a, b)``, ``Multiply()(a, b)``: ``layers.joins`` defines them.

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

    if TYPE_CHECKING:  # defined in layers.joins, which knows the layers that they make

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

    def __repr__(self) -> str:
        made = "Input" if self.layer is None else repr(self.layer)
        return f"<{self.name or made}: (N, {self.width})>"
