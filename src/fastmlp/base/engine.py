"""A network of the compiled core, with validation around its calls.

``Sequential``, ``Graph`` and a layer used alone all run on an ``Engine``: there is no second
implementation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import quantization, sparse, validation
from fastmlp.base.errors import ArgumentError, StateError
from fastmlp.base.node import Node
from fastmlp.base.quantization import Quantized
from fastmlp.base.validation import Array

_NEVER = "backward: no forward pass has been made; call forward(x) first"
_USED = "backward: the last forward pass has been used up; call forward(x) again first"
CHANGED = (
    "backward: parameters have been changed since the forward pass; call forward(x) again first"
)


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays of floats have the same bits."""
    return bool((a.view(f"u{a.itemsize}") == b.view(f"u{b.itemsize}")).all())


class Ends:
    """The names of a network's inputs or outputs; converts values by name to lists and back."""

    __slots__ = ("names",)

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def take(self, values: Any, argument: str) -> list[Any]:
        """Return the values in the order of the names; several are a mapping or a sequence."""
        if len(self.names) == 1 and not isinstance(values, Mapping):
            return [values]
        wanted = ", ".join(self.names)
        if isinstance(values, Mapping):
            if set(values) != set(self.names):
                raise ArgumentError(
                    f"{argument}: got {', '.join(map(repr, values))}; want {wanted}"
                )
            return [values[name] for name in self.names]
        if not isinstance(values, (list, tuple)) or len(values) != len(self.names):
            raise ArgumentError(
                f"{argument}: got {type(values).__name__}; want a dict or a list of {wanted}"
            )
        return list(values)

    def give(self, values: list[Any]) -> Any:
        """Return one value as it is, several as a dict by name."""
        return values[0] if len(values) == 1 else dict(zip(self.names, values, strict=True))

    def argument(self, argument: str, index: int) -> str:
        """Return the name of a value for an error message."""
        return argument if len(self.names) == 1 else f"{argument}[{self.names[index]!r}]"


def _index_ends(nodes: Sequence[Node]) -> dict[int, int]:
    """Return the number of rows of the table in which an input is looked up, by input."""
    ends: dict[int, int] = {}
    for node in nodes:
        for source in node.sources if node.index_end else ():
            ends[-1 - source] = min(node.index_end, ends.get(-1 - source, node.index_end))
    return {k: end for k, end in ends.items() if k >= 0}


def _check_indices(array: Array, name: str, end: int) -> None:
    wrong = ~((array >= 0) & (array < end) & (array == np.floor(array)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ArgumentError(
            f"{name}: got {array[row, column]:.9g} at row {row}, column {column}; want whole "
            f"numbers from 0 to {end - 1}, the rows of an Embedding's table"
        )


def _check_leading(
    name: str, rows: int, found: tuple[int, ...], count: int, leading: tuple[int, ...], owner: str
) -> None:
    if rows != count:
        raise ArgumentError(f"{name}: got {rows} rows; want {count}, as many as {owner}")
    if found != leading and max(len(found), len(leading)) > 1:
        raise ArgumentError(
            f"{name}: got leading dimensions {found}; want {leading}, those that {owner}"
        )


def _apart(node: Node) -> Node:
    """Return a node that computes the same and leaves a user's object as it is."""
    return node if node.runner is None else node._replace(runner=node.runner.copy())


class Engine:
    """A ``_core.Net`` with validation; it remembers the leading dimensions of the last input."""

    __slots__ = (
        "_kept",
        "_leading",
        "_made",
        "_ran",
        "_running",
        "core",
        "dtype",
        "index_ends",
        "inputs",
        "kept_ends",
        "n_in",
        "n_out",
        "outputs",
    )

    def __init__(
        self,
        widths: Sequence[int],
        nodes: list[Node],
        dtype: np.dtype[Any],
        seed: int,
        outputs: Sequence[int] | None = None,
        inputs_named: Sequence[str] = ("x",),
        outputs_named: Sequence[str] = ("y",),
        compute: str | None = None,
        frozen: bool = False,
    ) -> None:
        last = [len(nodes) - 1] if outputs is None else list(outputs)
        self._made = (list(widths), list(nodes), last, dtype.name, seed, compute)
        self.core = self._running = _core.Net(*self._made, frozen=frozen)
        self._kept: _core.Net | None = None
        self.kept_ends: dict[str, list[Array]] = {}
        self.dtype = dtype
        self.inputs, self.outputs = Ends(inputs_named), Ends(outputs_named)
        self.index_ends = _index_ends(nodes)
        self.n_in = self.core.n_in
        self.n_out = self.core.n_out
        self._ran = False
        self._leading: tuple[int, ...] = ()

    def forward(self, x: Any, training: bool, keep: bool = False) -> Any:
        """Compute the outputs, (..., width) each, with the leading dimensions of the inputs."""
        validation.flag(training, "training")
        validation.flag(keep, "keep")
        rows, leading = self._rows(self.inputs, x, "x", self.core.widths_in, sparse_too=not keep)
        if keep:
            y = self._forward_kept(rows, training)
        else:
            self._running = self.core
            y = self.core.forward(rows, training)
        self._ran, self._leading = True, leading
        return self.given(self.outputs, y, leading)

    def backward(self, dy: Any, accumulate: bool) -> Any:
        """Turn upstream gradients into downstream ones; allowed once after each forward pass."""
        saved = self._running.saved_rows
        if saved < 0:
            raise StateError(_USED if self._ran else _NEVER)
        if self._running is not self.core and not same_bits(self._running.params, self.core.params):
            raise StateError(CHANGED)
        rows = self.upstream(dy, saved, self._leading, "the forward pass had")
        validation.flag(accumulate, "accumulate")
        if self._running is self.core and self.core.saved_sparse:
            return self.core.backward(rows, accumulate, False)
        if self._running is self.core:
            dx = self.core.backward(rows, accumulate)
        else:
            dx = self._backward_kept(rows, accumulate)
        return self.given(self.inputs, dx, self._leading)

    def _forward_kept(self, rows: list[Array], training: bool) -> list[Array]:
        """Run the same pass on a network without fusion, which keeps the value of every node."""
        if self._kept is None:
            self._kept = _core.Net(*self._made, separate=True)
        unfused = self._running = self._kept
        self.kept_ends = {}
        unfused.params[...], unfused.state[...] = self.core.params, self.core.state
        unfused.step_count = self.core.step_count
        y = unfused.forward(rows, training)
        self.core.assign(self.core.params, unfused.state)
        self.core.step_count = unfused.step_count
        self.kept_ends = {"values": rows}
        return y

    def _backward_kept(self, rows: list[Array], accumulate: bool) -> list[Array]:
        unfused = self._running
        unfused.grads[...] = self.core.grads
        dx = unfused.backward(rows, accumulate)
        self.core.grads[...] = unfused.grads
        for begin, end in self.core.untrained:
            self.core.grads[begin:end] = 0
        self.kept_ends["gradients"] = dx
        return dx

    def value(self, node: int) -> Array | None:
        """Return the output of a node, (N, width), if the last forward pass kept values."""
        return self._kept.value(node) if self._kept is not None and self.kept_ends else None

    def delta(self, node: int) -> Array | None:
        """Return the gradient with respect to that output, if its backward pass has been run."""
        done = self._kept is not None and "gradients" in self.kept_ends
        return self._kept.delta(node) if done and self._kept is not None else None

    def predict(self, x: Any, out: Any) -> Any:
        """Compute the outputs and save nothing; write into ``out`` if it is given."""
        rows, leading = self._rows(self.inputs, x, "x", self.core.widths_in, sparse_too=True)
        if out is None:
            return self.given(self.outputs, self.core.predict(rows, None), leading)
        places: list[Array] = []
        count = rows[0].shape[0]
        sources = [] if sparse.is_sparse(rows[0]) else rows
        for k, place in enumerate(self.outputs.take(out, "out")):
            width = self.core.widths_out[k]
            name, shape = self.outputs.argument("out", k), (*leading, width)
            validation.output(place, name, shape, self.dtype, (*sources, self.core.params, *places))
            places.append(place.reshape(count, width))
        self.core.predict(rows, places)
        return out

    @property
    def nodes(self) -> list[Node]:
        """The nodes of the network, in order."""
        return self._made[1]

    def separate(self) -> _core.Net:
        """Return a network of the same numbers that keeps value and gradient of every node."""
        net = _core.Net(*self._made, separate=True)
        net.params[...], net.state[...] = self.core.params, self.core.state
        return net

    def unsaved(self) -> _core.Net | None:
        """Return a network for passes that change nothing of this one; None: the core itself.

        Only objects of ``Custom`` nodes would save such a pass; the network has copies of them.
        """
        widths, nodes = self._made[:2]
        if all(node.runner is None for node in nodes):
            return None
        net = _core.Net(widths, [_apart(node) for node in nodes], *self._made[2:])
        net.params[...], net.state[...] = self.core.params, self.core.state
        return net

    def inputs_of(self, x: Any) -> tuple[list[Array], tuple[int, ...]]:
        """Return checked rows (N, width) of every input, and their leading dimensions."""
        return self._rows(self.inputs, x, "x", self.core.widths_in)

    def tangents(self, dx: Any, count: int, leading: tuple[int, ...]) -> list[Array]:
        """Return checked directions of the inputs (N, width), for rows ``x`` of this shape."""
        rows, found = self._rows(self.inputs, dx, "dx", self.core.widths_in, tangents=True)
        _check_leading("dx", len(rows[0]), found, count, leading, "x has")
        return rows

    def upstream(self, dy: Any, count: int, leading: tuple[int, ...], owner: str) -> list[Array]:
        """Return checked upstream gradients (N, width) of the outputs."""
        rows, found = self._rows(self.outputs, dy, "dy", self.core.widths_out)
        _check_leading("dy", len(rows[0]), found, count, leading, owner)
        return rows

    def quantize(self, rows: Any) -> dict[int, Quantized]:
        """Return matrix products in 8 bits by node, with ranges of their inputs from some rows."""
        arrays, _ = self._rows(self.inputs, rows, "rows", self.core.widths_in, single=False)
        net, nodes = self.separate(), self.nodes
        return quantization.quantize(self.core, nodes, quantization.ranges(net, nodes, arrays))

    def frozen(self, compute: str | None, by_node: Mapping[int, Quantized]) -> Engine:
        """Return an engine with packed copies of the parameters as they are now; it only predicts.

        ``by_node`` has the products in 8 bits, if any.
        """
        widths, nodes, outputs, _, seed, _ = self._made
        ends = outputs, self.inputs.names, self.outputs.names
        made = quantization.quantized_nodes(nodes, by_node)
        engine = Engine(widths, made, self.dtype, seed, *ends, compute, frozen=True)
        quantization.assign(engine.core, self.core, by_node)
        engine.core.state[...] = self.core.state
        engine.core.freeze()
        return engine

    def products(self) -> dict[int, int]:
        """Return where the weights of each matrix product start among the parameters, by node."""
        return quantization.products(self.core, self._made[1])

    def quantized(self) -> dict[int, Quantized]:
        """Return the matrix products in 8 bits of a frozen engine, by node."""
        return quantization.quantized_in(self.core, self._made[1])

    def release(self) -> None:
        """Free the memory that calls keep; what the last forward pass saved is forgotten."""
        self.core.release()
        self._running, self._kept = self.core, None
        self.kept_ends = {}

    def rows(self, x: Any, members: int = 1) -> tuple[list[Array], tuple[int, ...]]:
        """Return checked rows (N, width / members) of every input, and their leading dimensions.

        A single row ``(width,)`` is an error.
        """
        count = validation.size(members, "members")
        widths = [width // count for width in self.core.widths_in]
        dense = count > 1
        return self._rows(self.inputs, x, "x", widths, single=False, sparse_too=not dense)

    def observations(self, obs: Any) -> tuple[list[Array], tuple[int, ...]]:
        """Return checked rows (N, width) of every input, and their leading dimensions: none for
        a single row."""
        return self._rows(self.inputs, obs, "obs", self.core.widths_in)

    def _rows(
        self, ends: Ends, values: Any, argument: str, widths: list[int], single: bool = True,
        sparse_too: bool = False, tangents: bool = False,
    ) -> tuple[list[Any], tuple[int, ...]]:  # fmt: skip
        """Return checked rows (N, width) of all inputs or outputs, and their leading dimensions.

        With ``sparse_too``, those of a single input may be sparse. ``tangents`` are directions, not
        rows of a table.
        """
        if sparse_too and sparse.is_sparse(values) and len(widths) == 1:
            found = sparse.rows(values, argument, self.dtype, widths[0])
            return [found], (len(found),)
        arrays = [
            validation.vectors(value, ends.argument(argument, k), self.dtype, widths[k], single)
            for k, value in enumerate(ends.take(values, argument))
        ]
        leading = arrays[0].shape[:-1]
        if any(array.shape[:-1] != leading for array in arrays[1:]):
            shapes = ", ".join(str(array.shape) for array in arrays)
            raise ArgumentError(
                f"{argument}: got shapes {shapes}; want the same number of rows in each"
            )
        rows = [validation.flat_rows(array) for array in arrays]
        if ends is self.inputs and not tangents:
            for k, index_end in self.index_ends.items():
                _check_indices(rows[k], ends.argument(argument, k), index_end)
        return rows, leading

    @staticmethod
    def given(ends: Ends, values: list[Array], leading: tuple[int, ...]) -> Any:
        """Return arrays (N, width) with these leading dimensions, in the form that users get."""
        if not leading:
            values = [value[0] for value in values]
        elif len(leading) > 1:
            values = [value.reshape(*leading, value.shape[1]) for value in values]
        return ends.give(values)
