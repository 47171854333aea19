"""The whole API in any order: Hypothesis' state machine, compared with a model.

Networks are made, run, trained, saved, copied, and called with wrong arguments. Whatever happens to
one network, all others keep their bits. Predictions and gradients are those of the reference with
the same parameters.
"""

from __future__ import annotations

import copy
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests import harness

import fastmlp as fm
from fastmlp import _core
from fastmlp import reference as ref

WIDTH, OUT, ROWS = 4, 3, 5
X = np.random.default_rng(3).standard_normal((ROWS, WIDTH))
Y = np.random.default_rng(4).standard_normal((ROWS, OUT))
DTYPES = st.sampled_from(["float32", "float64"])


def chain(**options: Any) -> fm.Network:
    layers = fm.Linear(WIDTH, 6), fm.Tanh(), fm.Dropout(0.3), fm.Linear(6, OUT)
    return fm.Sequential(*layers, **options)


def normed(**options: Any) -> fm.Network:
    layers = fm.BatchNorm(WIDTH), fm.Linear(WIDTH, 6), fm.LayerNorm(6), fm.Linear(6, OUT)
    return fm.Sequential(*layers, **options)


def joined(**options: Any) -> fm.Network:
    x = fm.Input(WIDTH)
    h = fm.Tanh()(fm.Linear(WIDTH, WIDTH)(x))
    return fm.Graph(x, fm.Linear(WIDTH, OUT)(h + x), **options)


KINDS = {"chain": chain, "normed": normed, "joined": joined}


class JoinedReference:
    """The reference's copy of ``joined``."""

    def __init__(self, linears: list[Any]) -> None:
        self.first, self.last = (ref.Linear(layer.W, layer.b) for layer in linears)
        self.tanh = ref.Activation("Tanh")

    @property
    def grads(self) -> list[Any]:
        return [*self.first.grads, *self.last.grads]

    def forward(self, x: Any, training: bool) -> Any:
        return self.last.forward(self.tanh.forward(self.first.forward(x)) + x)

    def backward(self, dy: Any) -> Any:
        ds = self.last.backward(dy)
        return self.first.backward(self.tanh.backward(ds)) + ds


class Model:
    """A network with what the test knows of it: its numbers, and whether backward may run."""

    def __init__(self, kind: str, net: Any) -> None:
        self.kind, self.net = kind, net
        self.trainer = fm.Trainer(net, fm.MSELoss(), fm.Adam(lr=0.01))
        self.pending: Any = None  # the reference of the forward pass that backward belongs to
        self.remember()

    def numbers(self) -> list[bytes]:
        state = self.trainer.state_dict()
        arrays = (self.net.params, self.net.grads, self.net.state, *state.pop("slots"))
        found = [array.tobytes() for array in (*arrays, state.pop("powers"))]
        return [*found, repr(state).encode()]

    def remember(self) -> None:
        self.known = self.numbers()

    def linears(self) -> list[Any]:
        return [layer for layer in self.net.layers if isinstance(layer, fm.Linear)]

    def reference(self) -> Any:
        """The reference's copy; None if it does not have all the layers."""
        if self.kind == "normed":
            return None
        if self.kind == "joined":
            return JoinedReference(self.linears())
        reference = harness.net_reference(self.net)
        reference.layers[2].step = self.net.step_count
        return reference

    def close(self, actual: Any, expected: Any) -> None:
        dtype = self.net.dtype
        harness.check(actual, expected, harness.rounding(62, dtype), np.abs(expected).max())

    def touched(self) -> None:
        """Parameters or instructions have changed, so backward belongs to no known pass."""
        self.pending = "changed" if self.pending is not None else None
        self.remember()


class API(RuleBasedStateMachine):
    """Any calls in any order."""

    models = Bundle("models")
    files = Bundle("files")

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Model] = []
        self.folder = tempfile.TemporaryDirectory()
        self.isa, self.threads = _core.config()["isa"], fm.get_num_threads()
        _core.ignore_thread_cost(True)

    def teardown(self) -> None:
        _core.use_isa(self.isa)
        _core.ignore_thread_cost(False)
        fm.set_num_threads(self.threads)
        self.folder.cleanup()

    def _enter(self, kind: str, net: Any) -> Model:
        self.all.append(Model(kind, net))
        return self.all[-1]

    @initialize(target=models, kind=st.sampled_from(list(KINDS)), dtype=DTYPES)
    def first(self, kind: str, dtype: str) -> Model:
        return self._enter(kind, KINDS[kind](dtype=dtype, seed=0))

    @rule(target=models, kind=st.sampled_from(list(KINDS)), dtype=DTYPES, seed=st.integers(0, 9))
    def build(self, kind: str, dtype: str, seed: int) -> Model:
        return self._enter(kind, KINDS[kind](dtype=dtype, seed=seed))

    # ---- passes ----

    @rule(model=models, rows=st.integers(0, ROWS), into=st.booleans())
    def predict(self, model: Model, rows: int, into: bool) -> None:
        out = np.empty((rows, OUT), model.net.dtype) if into else None
        y = model.net.predict(X[:rows], out)
        assert out is None or y is out
        assert y.tobytes() == model.net.copy().predict(X)[:rows].tobytes()
        if model.kind != "normed" and rows:
            model.close(y, model.reference().forward(X[:rows], False))

    @rule(model=models, rows=st.integers(2, ROWS), training=st.booleans(), keep=st.booleans())
    def forward(self, model: Model, rows: int, training: bool, keep: bool) -> None:
        reference = model.reference()
        y = model.net.forward(X[:rows], training=training, keep=keep)
        if reference is not None:
            model.close(y, reference.forward(X[:rows], training))
        model.pending = (reference, rows)
        model.remember()

    @rule(model=models, accumulate=st.booleans())
    def backward(self, model: Model, accumulate: bool) -> None:
        net, before = model.net, model.net.grads.copy()
        if model.pending is None:
            try:
                net.backward(Y)
            except fm.StateError:
                return
            raise AssertionError("backward without a forward pass")
        if model.pending == "changed":
            model.pending = None
            net.forward(X)
            net.backward(Y)
            model.remember()
            return
        reference, rows = model.pending
        dx = net.backward(Y[:rows], accumulate=accumulate)
        if reference is not None:
            model.close(dx, reference.backward(Y[:rows]))
            grads = ref.flatten(reference.grads)
            model.close(net.grads, grads + before if accumulate else grads)
        model.pending = None
        model.remember()

    # ---- training ----

    @rule(model=models)
    def step(self, model: Model) -> None:
        """A copy of the network with the trainer's state makes the same step, bit for bit."""
        other = fm.Trainer(copy.deepcopy(model.net), fm.MSELoss(), fm.Adam(lr=0.01))
        other.load_state_dict(model.trainer.state_dict())
        reference = model.reference()
        loss = model.trainer.step(X, Y)
        assert other.step(X, Y) == loss
        assert other.net.params.tobytes() == model.net.params.tobytes()
        if reference is not None:
            expected = ref.MSELoss().forward(reference.forward(X, True), Y)
            model.close(np.asarray(loss, model.net.dtype), np.asarray(expected))
        model.touched()

    @rule(model=models, epochs=st.integers(0, 2), batch=st.integers(1, ROWS + 1))
    def fit(self, model: Model, epochs: int, batch: int) -> None:
        history = model.trainer.fit(X, Y, epochs=epochs, batch_size=batch, progress=False)
        assert np.isfinite(history.loss).all()
        if epochs:
            model.touched()

    # ---- parameters ----

    @rule(model=models, value=st.floats(-1, 1, width=32), which=st.integers(0, 3))
    def write(self, model: Model, value: float, which: int) -> None:
        """All ways of setting a weight have the same effect."""
        layer = model.linears()[-1]
        W = layer.W.copy()
        W[1, 1] = value
        if which == 0:
            layer.W[1, 1] = value
        elif which == 1:
            layer.W = W.tolist()
        else:
            params = model.net.params.copy()
            names = list(model.net.parameter_slices().items())
            part = [at for name, at in names if name.endswith(".W")][-1]
            params[part] = W.ravel()
            if which == 2:
                model.net.params = params
            else:
                model.net.params[...] = params
        assert layer.W.tobytes() == W.tobytes()
        model.touched()

    @rule(model=models)
    def zero_grad(self, model: Model) -> None:
        model.net.zero_grad()
        assert not model.net.grads.any()
        model.remember()

    # ---- copies ----

    @rule(target=models, model=models, how=st.sampled_from(["copy", "deepcopy", "pickle", "cast"]),
          dtype=DTYPES)  # fmt: skip
    def duplicate(self, model: Model, how: str, dtype: str) -> Any:
        if len(self.all) > 6:
            return multiple()
        net = model.net
        other = {"copy": copy.copy, "deepcopy": copy.deepcopy,
                 "cast": lambda n: n.copy(dtype=dtype),
                 "pickle": lambda n: pickle.loads(pickle.dumps(n))}[how](net)  # fmt: skip
        for name in ("params", "grads", "state"):
            mine, its = getattr(net, name), getattr(other, name)
            assert not np.shares_memory(mine, its) or not mine.size
            assert np.array_equal(mine.astype(other.dtype), its)
        assert (other.step_count, other.seed) == (net.step_count, net.seed)
        return self._enter(model.kind, other)

    @rule(target=files, model=models)
    def save(self, model: Model) -> Any:
        net, folder = model.net, Path(self.folder.name)
        path = folder / f"{len(list(folder.iterdir()))}.safetensors"
        net.save(path)
        kept = (net.params.tobytes(), net.state.tobytes(), net.predict(X).tobytes())
        return path, model.kind, kept, _core.config()["isa"]

    @rule(target=models, file=consumes(files))
    def load(self, file: Any) -> Any:
        path, kind, (params, state, predictions), isa = file
        net = fm.load(path)
        assert (net.params.tobytes(), net.state.tobytes()) == (params, state)
        # Only instruction sets with fused multiply-add agree.
        if "portable" not in (isa, _core.config()["isa"]) or isa == _core.config()["isa"]:
            assert net.predict(X).tobytes() == predictions
        return self._enter(kind, net) if len(self.all) < 7 else multiple()

    # ---- settings of the process ----

    @rule(n=st.integers(1, 4))
    def set_threads(self, n: int) -> None:
        fm.set_num_threads(n)

    @rule(isa=st.sampled_from(_core.config()["isas"]))
    def use_isa(self, isa: str) -> None:
        _core.use_isa(isa)
        for model in self.all:
            # Values of a pass on other instructions may differ in their last bits.
            model.touched()

    # ---- errors ----

    @rule(model=models, which=st.integers(0, 9))
    def mistake(self, model: Model, which: int) -> None:
        net, trainer = model.net, model.trainer
        calls = [
            lambda: net.predict(X[:, 1:]),
            lambda: net.predict(X, np.empty((ROWS, OUT + 1), net.dtype)),
            lambda: net.forward("text"),
            lambda: net.forward(X, training=1),
            lambda: net.backward(Y[:, 1:]),
            lambda: trainer.step(X, Y[1:]),
            lambda: trainer.fit(X * np.nan, Y, progress=False),
            lambda: trainer.fit(X, Y, epochs=-1),
            lambda: setattr(net, "params", net.params[1:]),
            lambda: trainer.load_state_dict({**trainer.state_dict(), "slots": []}),
        ]
        try:
            calls[which]()
        except fm.FastMLPError:
            return
        raise AssertionError("a mistake was taken")

    # ---- invariants ----

    @invariant()
    def nothing_else_changed(self) -> None:
        for model in self.all:
            assert model.numbers() == model.known

    @precondition(lambda self: self.all)
    @invariant()
    def views_are_views(self) -> None:
        net = self.all[-1].net
        for layer in net.layers:
            for name, array in layer.parameters().items():
                assert np.shares_memory(array, net.params)
                assert np.shares_memory(getattr(layer, f"d{name}"), net.grads)


def options(examples: int, steps: int, *, fixed: bool) -> settings:
    """Settings of Hypothesis: the same examples every time, or new ones."""
    return settings(
        max_examples=examples, stateful_step_count=steps, derandomize=fixed, deadline=None,
        database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip


def failure(examples: int, steps: int) -> str:
    """A failure with new examples; "" if there is none."""
    try:
        run_state_machine_as_test(API, settings=options(examples, steps, fixed=False))
    except Exception as error:
        return f"{type(error).__name__}: {error}\n" + "\n".join(getattr(error, "__notes__", []))
    return ""
