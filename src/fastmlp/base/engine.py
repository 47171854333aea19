"""A planned network of the core with the checks around its calls.

``Sequential``, ``Graph`` and a layer used alone all run on one of these: there is no second
implementation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, StateError
from fastmlp.base.validation import Array

_NEVER = "backward: no forward pass has been made; call forward(x) first"
_USED = "backward: the last forward pass has been used up; call forward(x) again first"


class Ends:
    """The names of a network's inputs, or of its outputs: how values for them are given."""

    __slots__ = ("names",)

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def take(self, values: Any, argument: str) -> list[Any]:
        """Values in order: one as it is, several as a mapping by name or as a sequence."""
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
        """One value as it is, several as a dict by name."""
        return values[0] if len(values) == 1 else dict(zip(self.names, values, strict=True))

    def argument(self, argument: str, index: int) -> str:
        """What an error calls a value."""
        return argument if len(self.names) == 1 else f"{argument}[{self.names[index]!r}]"


class Engine:
    """``_core.Net`` plus validation, and whether the last input was one row."""

    __slots__ = (
        "_kept",
        "_made",
        "_ran",
        "_running",
        "_single",
        "core",
        "dtype",
        "inputs",
        "kept_ends",
        "n_in",
        "n_out",
        "outputs",
    )

    def __init__(
        self,
        widths: Sequence[int],
        nodes: list[_core.Node],
        dtype: np.dtype[Any],
        seed: int,
        outputs: Sequence[int] | None = None,
        inputs_named: Sequence[str] = ("x",),
        outputs_named: Sequence[str] = ("y",),
    ) -> None:
        last = [len(nodes) - 1] if outputs is None else list(outputs)
        self._made = (list(widths), nodes, last, dtype.name, seed)
        self.core = self._running = _core.Net(*self._made)
        self._kept: _core.Net | None = None
        self.kept_ends: dict[str, list[Array]] = {}
        self.dtype = dtype
        self.inputs, self.outputs = Ends(inputs_named), Ends(outputs_named)
        self.n_in = self.core.n_in
        self.n_out = self.core.n_out
        self._ran = False
        self._single = False

    def forward(self, x: Any, training: bool, keep: bool = False) -> Any:
        """``(N, width)`` of each input to that of each output, or one row to one row."""
        rows, single = self._rows(self.inputs, x, "x", self.core.widths_in)
        validation.flag(training, "training")
        if validation.flag(keep, "keep"):
            y = self._forward_kept(rows, training)
        else:
            self._running = self.core
            y = self.core.forward(rows, training)
        self._ran, self._single = True, single
        return self._given(self.outputs, y, single)

    def backward(self, dy: Any, accumulate: bool) -> Any:
        """Upstream gradients to downstream ones; once per forward."""
        saved = self._running.saved_rows
        if saved < 0:
            raise StateError(_USED if self._ran else _NEVER)
        rows, _ = self._rows(self.outputs, dy, "dy", self.core.widths_out)
        if rows[0].shape[0] != saved:
            raise ArgumentError(
                f"dy: got {rows[0].shape[0]} rows; want {saved}, as many as the forward pass had"
            )
        validation.flag(accumulate, "accumulate")
        if self._running is self.core:
            dx = self.core.backward(rows, accumulate)
        else:
            dx = self._backward_kept(rows, accumulate)
        return self._given(self.inputs, dx, self._single)

    def _forward_kept(self, rows: list[Array], training: bool) -> list[Array]:
        """The same pass on a twin that keeps every node's value apart."""
        if self._kept is None:
            self._kept = _core.Net(*self._made, separate=True)
        twin = self._running = self._kept
        self.kept_ends = {}
        twin.params[...], twin.state[...] = self.core.params, self.core.state
        twin.step_count = self.core.step_count
        y = twin.forward(rows, training)
        self.core.state[...], self.core.step_count = twin.state, twin.step_count
        self.kept_ends = {"values": rows}
        return y

    def _backward_kept(self, rows: list[Array], accumulate: bool) -> list[Array]:
        twin = self._running
        twin.grads[...] = self.core.grads
        dx = twin.backward(rows, accumulate)
        self.core.grads[...] = twin.grads
        self.kept_ends["gradients"] = dx
        return dx

    def value(self, node: int) -> Array | None:
        """What a node gave in the last forward, if that kept values; (N, width)."""
        return self._kept.value(node) if self._kept is not None and self.kept_ends else None

    def delta(self, node: int) -> Array | None:
        """The gradient with respect to that, if the last pass was its backward."""
        done = self._kept is not None and "gradients" in self.kept_ends
        return self._kept.delta(node) if done and self._kept is not None else None

    def predict(self, x: Any, out: Any) -> Any:
        """Forward without saving anything, into ``out`` where given."""
        rows, single = self._rows(self.inputs, x, "x", self.core.widths_in)
        if out is None:
            return self._given(self.outputs, self.core.predict(rows, None), single)
        places: list[Array] = []
        count = rows[0].shape[0]
        for k, place in enumerate(self.outputs.take(out, "out")):
            width = self.core.widths_out[k]
            shape = (width,) if single else (count, width)
            name = self.outputs.argument("out", k)
            validation.output(place, name, shape, self.dtype, (*rows, self.core.params, *places))
            places.append(place.reshape(count, width))
        self.core.predict(rows, places)
        return out

    def matrices(self, x: Any) -> list[Array]:
        """Rows of every input, where one row alone will not do."""
        found = [
            validation.matrix(value, self.inputs.argument("x", k), self.dtype, width)
            for k, (value, width) in enumerate(
                zip(self.inputs.take(x, "x"), self.core.widths_in, strict=True)
            )
        ]
        if len({len(rows) for rows in found}) > 1:
            shapes = ", ".join(str(rows.shape) for rows in found)
            raise ArgumentError(f"x: got shapes {shapes}; want as many rows of each")
        return found

    def _rows(
        self, ends: Ends, values: Any, argument: str, widths: list[int]
    ) -> tuple[list[Array], bool]:
        """Checked rows for each end, of one count; second: was it one row?"""
        pairs = [
            validation.rows_or_row(value, ends.argument(argument, k), self.dtype, widths[k])
            for k, value in enumerate(ends.take(values, argument))
        ]
        counts = {rows.shape[0] for rows, _ in pairs}
        if len(counts) > 1 or len({single for _, single in pairs}) > 1:
            shapes = ", ".join(str(rows.shape) for rows, _ in pairs)
            raise ArgumentError(f"{argument}: got shapes {shapes}; want as many rows of each")
        return [rows for rows, _ in pairs], pairs[0][1]

    @staticmethod
    def _given(ends: Ends, values: list[Array], single: bool) -> Any:
        return ends.give([value[0] if single else value for value in values])
