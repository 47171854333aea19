"""Layers with several inputs: sum, product, maximum, concatenation; and the copy."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.engine import Engine
from fastmlp.base.errors import ArgumentError
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.base import Layer, WidthlessLayer
from fastmlp.layers.symbol import Symbol

_MOST = 8  # inputs of one core node


class Join(Layer):
    """Base of the layers that compute one value from several."""

    n_inputs = (2, _MOST)
    _op: ClassVar[str]

    def forward(self, *inputs: Any, training: bool = False) -> Array:
        """Compute the output of this layer alone and save what ``backward`` needs.

        Parameters
        ----------
        *inputs : array_like, shape (..., features)
            Two or more, all with the same leading dimensions.

        Returns
        -------
        ndarray, shape (..., out)
        """
        rows, dtype = self._arrays_alike(inputs)
        widths = tuple(one.shape[-1] if one.ndim else 1 for one in rows)
        y: Array = self._engine_of(widths, dtype).forward(rows, training)
        return y

    def backward(  # type: ignore[override]
        self, dy: Any, accumulate: bool = False
    ) -> tuple[Array, ...]:
        """Compute one gradient for each input from the gradient of the output.

        Raises
        ------
        StateError
            Before a forward pass, or a second time after one.
        """
        engine = self._engine or self._engine_of((1, 1), validation.FLOAT32)
        return tuple(engine.backward(dy, accumulate).values())

    def _arrays_alike(self, inputs: tuple[Any, ...]) -> tuple[list[Array], np.dtype[Any]]:
        """Return the inputs as arrays of one float type."""
        least, most = self.n_inputs
        if not least <= len(inputs) <= most:
            raise ArgumentError(f"inputs: got {len(inputs)}; want {least} to {most}")
        kinds = [validation.natural_dtype(one, f"input {k}") for k, one in enumerate(inputs)]
        dtype = self._dtype or np.result_type(*kinds)
        rows = [validation.real_array(one, f"input {k}", dtype) for k, one in enumerate(inputs)]
        return rows, dtype

    def _engine_of(self, widths: tuple[int, ...], dtype: np.dtype[Any]) -> Engine:
        old = self._engine
        if old is not None and tuple(old.core.widths_in) == widths and old.dtype == dtype:
            return old
        self.width_after(*widths)
        nodes = self.nodes(tuple(-1 - k for k in range(len(widths))), widths, 0)
        names = [f"input {k}" for k in range(len(widths))]
        self._engine = Engine(widths, nodes, dtype, 0, inputs_named=names)
        return self._engine

    def nodes(self, sources: tuple[int, ...], widths: tuple[int, ...], first: int) -> list[Node]:
        """Return the core nodes of this layer; the first of them gets the index ``first``."""
        found: list[Node] = []
        left = sources[0]
        for source in sources[1:]:
            found.append(Node(self._op, (left, source), widths[0], widths[0]))
            left = first + len(found) - 1
        return found

    def width_after(self, *widths: int) -> int:
        if len(set(widths)) > 1:
            raise ArgumentError(
                f"got inputs of widths {', '.join(map(str, widths))}; want one width"
            )
        return widths[0]


class Add(Join):
    """Sum of the inputs: ``y = a + b + ...``, from left to right.

    Local gradients: every input gets ``dy``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> add = fm.Add()
    >>> add.forward([[1.0, 2.0]], [[3.0, 4.0]]).tolist()
    [[4.0, 6.0]]
    >>> [dx.tolist() for dx in add.backward([[1.0, 1.0]])]
    [[[1.0, 1.0]], [[1.0, 1.0]]]
    """

    _op = "add"


class Multiply(Join):
    """Product of the inputs, element by element: ``y = a * b * ...``, from left to right.

    Local gradients: each input gets ``dy`` times the others.

    Examples
    --------
    >>> import fastmlp as fm
    >>> product = fm.Multiply()
    >>> product.forward([[3.0]], [[-4.0]]).tolist()
    [[-12.0]]
    >>> [dx.tolist() for dx in product.backward([[1.0]])]
    [[[-4.0]], [[3.0]]]
    """

    _op = "multiply"


class Maximum(Join):
    """The largest of the inputs, element by element.

    Local gradients: the largest input gets ``dy``, the others 0. Of equal inputs the first one gets
    all.

    Examples
    --------
    >>> import fastmlp as fm
    >>> largest = fm.Maximum()
    >>> largest.forward([[1.0, 5.0, 2.0]], [[3.0, 4.0, 2.0]]).tolist()
    [[3.0, 5.0, 2.0]]
    >>> [dx.tolist() for dx in largest.backward([[1.0, 1.0, 1.0]])]
    [[[0.0, 1.0, 1.0]], [[1.0, 0.0, 0.0]]]
    """

    _op = "maximum"


class Concat(Join):
    """Concatenation of the inputs: the columns of the first, then those of the second, ...

    Local gradients: each input gets its columns of ``dy``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> fm.Concat().forward([[1.0]], [[2.0, 3.0]]).tolist()
    [[1.0, 2.0, 3.0]]
    """

    _op = "concat"

    def nodes(self, sources: tuple[int, ...], widths: tuple[int, ...], first: int) -> list[Node]:
        total = sum(widths)
        return [Node("concat", sources, total, total)]

    def width_after(self, *widths: int) -> int:
        return sum(widths)


class Copy(WidthlessLayer):
    """The input itself; in a graph, it makes visible that several layers read a value.

    Local gradient: the sum of the gradients from all readers. Layers of a graph may share a value
    without a ``Copy``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> x = fm.Input(2)
    >>> both = fm.Copy()(x)
    >>> net = fm.Graph(x, both + both)
    >>> _ = net.forward([[1.0, 2.0]])
    >>> net.backward([[1.0, 1.0]]).tolist()
    [[2.0, 2.0]]
    """

    init_before = None

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        kind = next(k for k, row in enumerate(_core.activations()) if row["name"] == "Identity")
        return Node("activation", sources, widths[0], widths[0], kind)


def _add(self: Symbol, other: Any) -> Symbol:
    return Add()(self, other) if isinstance(other, Symbol) else NotImplemented


def _radd(self: Symbol, other: Any) -> Symbol:
    # The built-in sum() starts with 0.
    return self if type(other) is int and other == 0 else NotImplemented


def _multiply(self: Symbol, other: Any) -> Symbol:
    return Multiply()(self, other) if isinstance(other, Symbol) else NotImplemented


# The operators of symbols make layers of this module, so this module attaches them.
Symbol.__add__ = _add  # type: ignore[method-assign]
Symbol.__radd__ = _radd  # type: ignore[method-assign]
Symbol.__mul__ = _multiply  # type: ignore[method-assign]
