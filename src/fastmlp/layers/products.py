"""Matrix products of two values, parameters as values, squares and sums of columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastmlp.base import validation
from fastmlp.base.engine import Engine
from fastmlp.base.errors import ArgumentError, StateError
from fastmlp.base.node import Node
from fastmlp.base.validation import Array
from fastmlp.layers.base import WidthlessLayer
from fastmlp.layers.initializers import FAMILIES, Initializer, resolve
from fastmlp.layers.joins import Join
from fastmlp.layers.parametric import ParameterView, ParametricLayer

Shape = tuple[int, ...]


class Sum(WidthlessLayer):
    """Sum of the columns: ``y = x_1 + x_2 + ...``, ``(N, features) -> (N, 1)``.

    Local gradient: every column gets ``dy``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> total = fm.Sum()
    >>> total.forward([[1.0, 2.0, 3.0]]).tolist()
    [[6.0]]
    >>> total.backward([[2.0]]).tolist()
    [[2.0, 2.0, 2.0]]
    """

    def width_after(self, *widths: int) -> int:
        return 1

    def shape_after(self, *shapes: Shape) -> Shape:
        return (1,)

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return Node("sum", sources, widths[0], 1)


class Square(WidthlessLayer):
    """Square of each element: ``y = x * x``.

    Local gradient: ``2 x``. Input and output have the same shape.

    Examples
    --------
    >>> import fastmlp as fm
    >>> square = fm.Square()
    >>> square.forward([[3.0, -2.0]]).tolist()
    [[9.0, 4.0]]
    >>> square.backward([[1.0, 1.0]]).tolist()
    [[6.0, -4.0]]
    """

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        return Node("multiply", 2 * sources, widths[0], widths[0])


class MatMul(Join):
    """Matrix product of two values, row by row of the batch: ``y = a @ b``.

    A row holds a vector, or a matrix if the ``Input`` or ``Parameter`` has two sizes. The rows are
    multiplied as by ``numpy.matmul``. A vector times a ``Parameter`` that no other layer reads runs
    as a ``Linear`` without bias.

    Local gradients: ``da = dy @ b.T``, ``db = a.T @ dy``.

    Parameters
    ----------
    shape_a, shape_b : tuple of int, optional
        The shape of one row of each operand. Needed outside graphs only, where arrays are
        ``(N, features)``; in a graph the symbols have shapes.

    Examples
    --------
    >>> import fastmlp as fm
    >>> W, x = fm.Parameter(2, 2), fm.Input(2)
    >>> net = fm.Graph(x, fm.MatMul()(W, x), dtype="float64")
    >>> W.layer.W = [[0.1, 0.5], [-0.3, 0.8]]
    >>> net.predict([[0.2, 0.4]]).round(2).tolist()
    [[0.22, 0.26]]
    """

    n_inputs = (2, 2)

    def __init__(
        self,
        shape_a: Shape | None = None,
        shape_b: Shape | None = None,
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(dtype, seed)
        self.shape_a = None if shape_a is None else _sizes(shape_a, "shape_a")
        self.shape_b = None if shape_b is None else _sizes(shape_b, "shape_b")
        self._in_graph: tuple[Shape, Shape] | None = None

    def shape_after(self, *shapes: Shape) -> Shape:
        """Return the shape of one row of the product; remember those of the operands."""
        shape = self._product(*shapes)
        self._in_graph = shapes[0], shapes[1]
        return shape

    def _product(self, a: Shape, b: Shape) -> Shape:
        for given, name, found in ((self.shape_a, "a", a), (self.shape_b, "b", b)):
            if given is not None and given != found:
                raise ArgumentError(f"shape_{name}: got {given}; want {found}")
        rows, depth = (1, a[0]) if len(a) == 1 else a
        other, cols = (b[0], 1) if len(b) == 1 else b
        if depth != other:
            raise ArgumentError(
                f"got shapes {a} and {b}; want the last size of one to equal the first of the other"
            )
        return (a[:-1] + (b[1:] if len(b) == 2 else ())) or (rows * cols,)

    def width_after(self, *widths: int) -> int:
        return math.prod(self._product(*self._shapes(widths)))

    def nodes(self, sources: tuple[int, ...], widths: tuple[int, ...], first: int) -> list[Node]:
        a, b = self._shapes(widths)
        m, k, n = (a[0] if len(a) == 2 else 1), a[-1], (b[1] if len(b) == 2 else 1)
        return [Node("matmul", sources, sum(widths), m * n, sizes=(m, k, n))]

    def __repr__(self) -> str:
        return "MatMul()"

    def _shapes(self, widths: tuple[int, ...]) -> tuple[Shape, Shape]:
        if self._in_graph is not None and widths == tuple(map(math.prod, self._in_graph)):
            return self._in_graph
        found = []
        for shape, name, width in zip((self.shape_a, self.shape_b), "ab", widths, strict=True):
            if shape is not None and math.prod(shape) != width:
                raise ArgumentError(f"shape_{name}: got {shape}; want {width} numbers")
            found.append((width,) if shape is None else shape)
        return found[0], found[1]


class Parameter(ParametricLayer):
    """A parameter as a value of a graph; ``fm.Parameter`` makes it.

    Parameters
    ----------
    shape : tuple of int
        One size or two.
    init : initializer or str, optional
        Initial values; Xavier uniform by default.

    Attributes
    ----------
    W, dW : ndarray, shape (rows, cols) or (size,)
        The parameter and its gradient: views.
    """

    n_inputs = (0, 0)

    W = ParameterView("The parameter.")
    dW = ParameterView("Gradient of the loss with respect to ``W``.", fixed=True)

    def __init__(
        self,
        shape: Shape,
        init: Initializer | str | None = None,
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(dtype, seed)
        self.shape = _sizes(shape, "shape")
        self.init = resolve(init, "init")

    def shapes(self) -> Mapping[str, Shape]:
        return {"W": self.shape}

    def widths_alone(self) -> tuple[int, ...]:
        return ()

    def width_after(self, *widths: int) -> int:
        return math.prod(self.shape)

    def shape_after(self, *shapes: Shape) -> Shape:
        return self.shape

    @property
    def output(self) -> Array:
        """The parameter itself: a product that reads it may keep no copy of it."""
        return self.parameters()["W"]

    @property
    def grad(self) -> Array:
        """Its gradient."""
        return self._parameters()["dW"]

    def forward(self, *inputs: Any, training: bool = False) -> Array:
        """Raise StateError: a parameter has no input."""
        raise StateError("forward: a parameter has no input; use it as a value in a Graph")

    def _plan(self) -> Engine:
        # The core needs an input, so one is added to the parameter.
        dtype, size = self._dtype or validation.FLOAT32, math.prod(self.shape)
        added = Node("add", (0, -1), size, size)
        return Engine((size,), [self.node((), ()), added], dtype, self._seed or 0)

    def node(self, sources: tuple[int, ...], widths: tuple[int, ...]) -> Node:
        size, is_matrix = math.prod(self.shape), int(len(self.shape) == 2)
        return Node("parameter", (), size, size, kind=is_matrix)

    def initialise(self, views: Mapping[str, Array], seed: int, index: int, init: str) -> None:
        fans = (self.shape[0], self.shape[-1])
        chosen = self.init or FAMILIES[init]
        views["W"][...] = chosen.sample(self.shape, fans, seed, 4 * index)


def _sizes(value: Any, name: str) -> Shape:
    sizes = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not 1 <= len(sizes) <= 2:
        raise ArgumentError(f"{name}: got {validation.shown(value)}; want one or two sizes")
    return tuple(validation.size(size, name) for size in sizes)
