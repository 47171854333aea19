"""Products with the Jacobian of a network's outputs, without gradients of parameters.

They leave ``grads``, and what a forward pass has saved, as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base.engine import Engine
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array

_Upstream = list[Array] | Callable[[list[Array]], list[Array]]

# About so many rows are in a pass that has each row once for each of several outputs.
_ROWS = 4096


def vjp(engine: Engine, x: Any, dy: Any, outputs: bool) -> tuple[Any, Any]:
    """Return the outputs, or None, and the gradient of ``sum(dy * outputs)`` for each input."""
    rows, leading = engine.inputs_of(x)

    def upstream(value: Any) -> list[Array]:
        return engine.upstream(value, len(rows[0]), leading, "x has")

    def found(scores: list[Array]) -> list[Array]:
        # Copies, which the function may keep and change.
        return upstream(dy(engine.given(engine.outputs, [one.copy() for one in scores], leading)))

    up = found if callable(dy) else upstream(dy)
    y, dx = _product(engine, engine.unsaved(), rows, up, outputs)
    given = None if y is None else engine.given(engine.outputs, y, leading)
    return given, engine.given(engine.inputs, dx, leading)


def input_gradients(engine: Engine, rows: list[Array], up: list[Array]) -> list[Array]:
    """Return the gradients of the inputs (N, width) of checked rows and upstream gradients."""
    return _product(engine, engine.unsaved(), rows, up, False)[1]


def jvp(engine: Engine, x: Any, dx: Any) -> Any:
    """Return the derivative of the outputs along ``dx``, in their shapes."""
    rows, leading = engine.inputs_of(x)
    along = engine.tangents(dx, len(rows[0]), leading)
    found = [np.empty((len(rows[0]), width), engine.dtype) for width in engine.core.widths_out]
    for output, columns, slopes in _slopes(engine, rows):
        total = np.zeros((len(rows[0]), columns.stop - columns.start), engine.dtype)
        for slope, tangent in zip(slopes, along, strict=True):
            total += np.einsum("nmi,ni->nm", slope, tangent)
        found[output][:, columns] = total
    return engine.given(engine.outputs, found, leading)


def jacobian(engine: Engine, x: Any) -> Array:
    """Return the gradient of each output: of x (..., in), an array (..., out, in)."""
    ends = len(engine.inputs.names), len(engine.outputs.names)
    if ends != (1, 1):
        raise ArgumentError(
            f"jacobian: got a network of {ends[0]} inputs and {ends[1]} outputs; want one of each"
        )
    rows, leading = engine.inputs_of(x)
    found = np.empty((len(rows[0]), engine.n_out, engine.n_in), engine.dtype)
    for _, columns, (slope,) in _slopes(engine, rows):
        found[:, columns] = slope
    return found.reshape(*leading, engine.n_out, engine.n_in)


def _slopes(engine: Engine, rows: list[Array]) -> Iterator[tuple[int, slice, list[Array]]]:
    """Yield an output, some of its columns, and their gradients (N, columns, in) of each input.

    Every row is in a pass once for each of these columns, whose unit vector is its upstream
    gradient.
    """
    net, count = engine.unsaved(), len(rows[0])
    most = max(1, _ROWS // max(count, 1))
    for output, width in enumerate(engine.core.widths_out):
        for first in range(0, width, most):
            columns = slice(first, min(first + most, width))
            size = columns.stop - first
            up = [np.zeros((count * size, k), engine.dtype) for k in engine.core.widths_out]
            up[output].reshape(count, size, width)[:, np.arange(size), np.arange(size) + first] = 1
            repeated = [np.repeat(x, size, axis=0) for x in rows]
            _, dx = _product(engine, net, repeated, up, False)
            yield output, columns, [one.reshape(count, size, one.shape[1]) for one in dx]


def _product(
    engine: Engine, net: _core.Net | None, rows: list[Array], up: _Upstream, outputs: bool
) -> tuple[list[Array] | None, list[Array]]:
    """Return the outputs, or None, and the gradients of the inputs; arrays have been checked.

    ``up`` are upstream gradients, or a function that returns those for the outputs.
    """
    if net is None:
        return engine.core.vjp(rows, up, outputs)
    y = net.forward(rows, False)
    return y if outputs else None, net.backward(up(y) if callable(up) else up, False)
