"""The entry points that take arrays: how to call each, with what, and its right results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests import harness

import fastmlp as fm
from contract import bad_input_rules as rule
from contract import bad_input_worlds as worlds
from contract.bad_input_worlds import CLASSES, DY, LABELS, OF_CLASSES, ROWS, WEIGHTS, WIDTH, X
from fastmlp import reference as ref

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Entry:
    """One argument of one entry point.

    ``call(world, value)`` returns results; ``expect(world, array)`` those of the float64 reference.
    ``rule`` is None if other packages decide what is accepted: then their errors are as good as
    results. ``labels``: one-dimensional targets are labels. ``kept_as`` is the dtype of the
    computation: "net", "float64", "own" for that of the array, or "natural" for float64 if the
    array has that or a wider type, otherwise float32.
    """

    name: str
    argument: str
    good: Array
    make: Callable[[str], Any]
    call: Callable[[Any, Any], list[Any]]
    rule: rule.Rule | None
    expect: Callable[[Any, Array], list[Any]] | None = None
    optional: bool = False
    labels: bool = False
    kept_as: str = "net"

    def plain(self, array: Array, dtype: np.dtype[Any]) -> Array:
        """The array as the call should see it: native, contiguous, of one dtype."""
        if self.labels and array.ndim == 1:
            return np.array(array, np.int64)
        wide = array.dtype.kind == "f" and array.dtype.itemsize >= 8
        kinds = {
            "net": dtype,
            "float64": np.float64,
            "own": array.dtype.newbyteorder("="),
            "natural": np.float64 if wide else np.float32,
        }
        with np.errstate(over="ignore"):
            return np.array(array, kinds[self.kept_as], order="C")


# ---- networks ----


def _forward(w: Any, x: Array) -> list[Any]:
    y = harness.net_reference(w.net).forward(x.reshape(-1, x.shape[-1]))
    return [y.reshape(*x.shape[:-1], CLASSES)]


def _backward(w: Any, dy: Array) -> list[Any]:
    reference = harness.net_reference(w.net)
    reference.forward(X)
    dx = reference.backward(dy)
    return [dx, ref.flatten(reference.grads)]


def _predict_into(w: Any, out: Any) -> list[Any]:
    found = w.net.predict(X, out)
    return [found] if out is None or found is out else []


def _step(given: str) -> Callable[[Any, Any], list[Any]]:
    def call(w: Any, value: Any) -> list[Any]:
        data = {"x": X, "y": w.good_y, "sample_weight": None, given: value}
        return [w.trainer.step(**data), w.net.params.copy()]

    return call


def _reference_step(given: str) -> Callable[[Any, Array], list[Any]]:
    def expect(w: Any, value: Array) -> list[Any]:
        data = {"x": X, "target": w.good_y, "sample_weight": None}
        data["target" if given == "y" else given] = value
        reference = w.reference()
        loss = reference.step(**data)
        return [loss, ref.flatten(reference.net.params)]

    return expect


def _fit(given: str, of_module: bool = False) -> Callable[[Any, Any], list[Any]]:
    def call(w: Any, value: Any) -> list[Any]:
        data = {"x": X, "y": w.good_y, "sample_weight": None, given: value}
        options = {"epochs": 1, "batch_size": 4, "progress": False}
        if of_module:
            history = fm.fit(w.net, loss=w.loss, optimizer=fm.SGD(lr=0.1), **data, **options)
        else:
            history = w.trainer.fit(**data, **options)
        return [history.loss[0], w.net.params.copy()]

    return call


def _reference_fit(given: str) -> Callable[[Any, Array], list[Any]]:
    def expect(w: Any, value: Array) -> list[Any]:
        data = {"x": X, "target": w.good_y, "sample_weight": None}
        data["target" if given == "y" else given] = value
        reference = w.reference()
        losses = ref.fit(reference.net, **data, loss=reference.loss,
                         optimizer=reference.optimizer, epochs=1,
                         batch_size=4, seed=w.net.seed)  # fmt: skip
        return [losses[0], ref.flatten(reference.net.params)]

    return expect


def _validate(given: int) -> Callable[[Any, Any], list[Any]]:
    def call(w: Any, value: Any) -> list[Any]:
        held = [X, w.good_y, WEIGHTS]
        held[given] = value
        history = w.trainer.fit(X, w.good_y, epochs=1, validation=tuple(held), progress=False)
        return [history.val_loss[0], history.val_score[0]]

    return call


def _reference_validation(given: int) -> Callable[[Any, Array], list[Any]]:
    def expect(w: Any, value: Array) -> list[Any]:
        reference = w.reference()
        reference.step(X, w.good_y)
        held = [X, w.good_y, WEIGHTS]
        held[given] = value
        return [reference.loss.forward(reference.net.forward(held[0]), *held[1:])]

    return expect


def _of_networks() -> Iterator[Entry]:
    x = rule.rows("x", WIDTH, single=True)
    many = rule.rows("x", WIDTH, ROWS, partner="y", least=1)
    dy = rule.rows("dy", CLASSES, ROWS)
    for name, call in {
        "predict": lambda w, v: [w.net.predict(v)],
        "forward": lambda w, v: [w.net.forward(v)],
        "forward, keep": lambda w, v: [w.net.forward(v, keep=True), w.net[1].output][:1],
    }.items():
        yield Entry(f"Sequential.{name}: x", "x", X, worlds.Training, call, x, _forward)
    yield Entry("Sequential.predict: out", "out", np.zeros((ROWS, CLASSES)), worlds.Training,
                _predict_into, None, optional=True)  # fmt: skip
    yield Entry("Sequential.backward: dy", "dy", DY, worlds.Training,
                lambda w, v: [w.net.backward(v), w.net.grads.copy()], dy, _backward)  # fmt: skip
    weight = rule.exactly("sample_weight", (ROWS,))
    for world, y in ((worlds.Training, LABELS * 1.0), (worlds.Regression, worlds.Y)):
        name = world.loss_name
        fits = rule.targets(name, CLASSES)
        of_classes = name in OF_CLASSES
        for argument, good, takes in (
            ("x", X, many), ("y", y, fits), ("sample_weight", WEIGHTS, weight),
        ):  # fmt: skip
            facts = {"optional": argument == "sample_weight",
                     "labels": of_classes and argument == "y"}  # fmt: skip
            ours = rule.only_finite(takes, argument)
            at = ("x", "y", "sample_weight").index(argument)
            yield Entry(f"Trainer({name}).step: {argument}", argument, good, world,
                        _step(argument), takes, _reference_step(argument), **facts)  # fmt: skip
            yield Entry(f"Trainer({name}).fit: {argument}", argument, good, world, _fit(argument),
                        ours, _reference_fit(argument), **facts)  # fmt: skip
            yield Entry(f"fit({name}): {argument}", argument, good, world, _fit(argument, True),
                        ours, None, **facts)  # fmt: skip
            yield Entry(f"Trainer({name}).fit: validation {argument}", argument, good, world,
                        _validate(at), ours, _reference_validation(at), **facts)  # fmt: skip
            any_number = rule.rows("x", WIDTH, ROWS, partner="y")
            yield Entry(f"gradcheck({name}): {argument}", argument, good, world,
                        _gradcheck(argument), any_number if argument == "x" else takes, None,
                        kept_as="float64", **facts)  # fmt: skip


def _gradcheck(given: str) -> Callable[[Any, Any], list[Any]]:
    def call(w: Any, value: Any) -> list[Any]:
        net = fm.Sequential(fm.Linear(WIDTH, CLASSES), dtype=w.dtype, seed=1)
        data = {"x": X, "y": w.good_y, "sample_weight": None, given: value}
        return [float(fm.gradcheck(net, w.loss, **data))]

    return call


# ---- parameters and states ----


def _set(find: Callable[[Any], tuple[Any, str]]) -> Callable[[Any, Any], list[Any]]:
    def call(w: Any, value: Any) -> list[Any]:
        owner, name = find(w)
        setattr(owner, name, value)
        return [getattr(owner, name).copy()]

    return call


def _of_setters() -> Iterator[Entry]:
    net = worlds.Normed("float64").net
    places = {f"{i}.{name}": (i, name) for i in (0, 1, 2) for name in net[i].values()}
    for place, (i, name) in places.items():
        shape = getattr(net[i], name).shape
        yield Entry(f"{place} = ", name, np.resize(X, shape), worlds.Normed,
                    _set(lambda w, i=i, name=name: (w.net[i], name)),
                    rule.exactly(name, shape), lambda w, v: [v])  # fmt: skip
    yield Entry("params = ", "params", np.resize(X, net.params.shape), worlds.Normed,
                _set(lambda w: (w.net, "params")), rule.exactly("params", net.params.shape),
                lambda w, v: [v])  # fmt: skip
    for key, shape in (("slots", net.params.shape), ("powers", (2,))):
        yield Entry(f"Adam.load_state_dict: {key}", "state", np.resize(X, shape), worlds.Normed,
                    _load(key), rule.exactly("state", shape), lambda w, v: [v],
                    kept_as="float64" if key == "powers" else "net")  # fmt: skip


def _load(key: str) -> Callable[[Any, Any], list[Any]]:
    def call(w: Any, value: Any) -> list[Any]:
        state = w.optimizer.state_dict()
        state[key] = [state[key][0], value] if key == "slots" else value
        w.optimizer.load_state_dict(state)
        found = w.optimizer.state_dict()[key]
        return [found[1] if key == "slots" else found]

    return call


# ---- graphs ----


def _of_graphs() -> Iterator[Entry]:
    x = rule.rows("x", WIDTH, ROWS)
    yield Entry("Graph.predict: x['a']", "x", X, worlds.Joined,
                lambda w, v: list(w.net.predict({"b": DYADIC, "a": v}).values()), x,
                lambda w, v: list(w.values(v, DYADIC).values()))  # fmt: skip
    yield Entry("Graph.forward: x[1]", "x", X, worlds.Joined,
                lambda w, v: list(w.net.forward([DYADIC, v]).values()), x,
                lambda w, v: list(w.values(DYADIC, v).values()))  # fmt: skip
    yield Entry("Graph.backward: dy['z']", "dy", X, worlds.Joined,
                lambda w, v: list(w.net.backward({"y": DY * 0, "z": v}).values()),
                rule.rows("dy", WIDTH, ROWS), lambda w, v: [v * X, v * X])  # fmt: skip
    yield Entry("Trainer(Graph).step: x['a']", "x", X, worlds.Joined,
                lambda w, v: [w.trainer.step({"a": v, "b": X}, {"y": DY, "z": X})],
                rule.rows("x", WIDTH, ROWS, least=1),
                lambda w, v: [_joint_loss(w, v, X)])  # fmt: skip
    yield Entry("Trainer(Graph).step: y['z']", "y", X, worlds.Joined,
                lambda w, v: [w.trainer.step([X, X], {"y": DY, "z": v})],
                rule.rows("y", WIDTH, ROWS), lambda w, v: [_joint_loss(w, X, v)])  # fmt: skip


DYADIC = X[::-1] / 4


def _joint_loss(w: Any, a: Array, z: Array) -> float:
    values = w.values(a, X)
    return ref.MSELoss().forward(values["y"], DY) + ref.L1Loss().forward(values["z"], z)


# ---- losses and layers by hand ----


def _of_losses() -> Iterator[Entry]:
    # Other losses check their arguments with the same functions; tests/losses has their cases.
    for name in sorted(worlds.PLAIN_LOSSES):
        world = lambda dtype, name=name: worlds.ByHand(name, dtype)  # noqa: E731
        y = LABELS if name in OF_CLASSES else worlds.Y
        for argument, good, takes in (
            ("scores", DY, rule.scores(name, y, single=True)),
            ("y", y * 1.0, rule.targets(name, CLASSES)),
            ("sample_weight", WEIGHTS, rule.exactly("sample_weight", (ROWS,))),
        ):
            facts = {"optional": argument == "sample_weight",
                     "labels": name in OF_CLASSES and argument == "y",
                     "kept_as": "natural" if argument == "scores" else "net"}  # fmt: skip
            yield Entry(f"{name}.forward: {argument}", argument, good, world, _loss(argument),
                        takes, _reference_loss(argument), **facts)  # fmt: skip
            if argument == "scores":
                takes = rule.scores(name, y, single=False)
            yield Entry(f"{name}.score: {argument}", argument, good, world, _score(argument),
                        takes, None, **facts)  # fmt: skip


def _of_losses_of_one_row() -> Iterator[Entry]:
    """Scores (C,) with the target and the weight of one row."""
    for name, y in (("CrossEntropyLoss", np.array([1.0])), ("MSELoss", worlds.Y[1])):
        world = lambda dtype, name=name: worlds.ByHand(name, dtype)  # noqa: E731
        for argument, good, takes in (
            ("y", y, rule.target_of_row(name, CLASSES)),
            ("sample_weight", np.array([2.0]), rule.number("sample_weight")),
        ):

            def call(w: Any, value: Any, given: str = argument, y: Array = y) -> list[Any]:
                data = {"y": y, "sample_weight": None, given: value}
                return [w.loss.forward(DY[0].astype(w.dtype), **data), w.loss.backward().copy()]

            yield Entry(f"{name}.forward, one row: {argument}", argument, good, world, call,
                        takes, optional=argument == "sample_weight")  # fmt: skip


def _data(w: Any, given: str, value: Any) -> dict[str, Any]:
    return {"scores": DY.astype(w.dtype), "y": w.y, "sample_weight": None, given: value}


def _loss(given: str) -> Callable[[Any, Any], list[Any]]:
    return lambda w, value: [w.loss.forward(**_data(w, given, value)), w.loss.backward().copy()]


def _score(given: str) -> Callable[[Any, Any], list[Any]]:
    return lambda w, value: [w.loss.score(**_data(w, given, value))]


def _reference_loss(given: str) -> Callable[[Any, Array], list[Any]]:
    def expect(w: Any, value: Array) -> list[Any]:
        data = _data(w, given, value)
        y = data.pop("y")
        single = np.ndim(data["scores"]) == 1
        reference = harness.loss_reference(w.loss)
        loss = reference.forward(np.atleast_2d(data["scores"]), y[None] if single else y,
                            data["sample_weight"])  # fmt: skip
        return [loss, reference.backward().reshape(np.shape(data["scores"]))]

    return expect


def _of_layers() -> Iterator[Entry]:
    references: dict[str, Callable[[Any], Any]] = {
        "Linear": lambda layer: ref.Linear(layer.W, layer.b),
        "Tanh": lambda layer: ref.Activation("Tanh"),
        "GELU": lambda layer: ref.Activation("GELU"),
        "Softmax": lambda layer: ref.Softmax(),
        "Dropout": lambda layer: ref.Dropout(0.5),
        "Maxout": lambda layer: ref.Maxout(2),
        "LayerNorm": lambda layer: ref.LayerNorm(layer.gamma, layer.beta, eps=layer.eps),
    }
    for name, reference in references.items():
        world = lambda dtype, name=name: worlds.Alone(name, dtype)  # noqa: E731
        wide = name in ("Linear", "LayerNorm")
        takes = rule.rows("x", WIDTH, single=True) if wide else rule.any_rows(
            "x", 2 if name == "Maxout" else 1)  # fmt: skip
        width = worlds.Alone(name, "float64").y.shape[1]

        def expect(w: Any, x: Array, reference: Any = reference) -> list[Any]:
            y = reference(w.layer).forward(x.reshape(-1, x.shape[-1]))
            return [y.reshape(*x.shape[:-1], y.shape[-1])]

        yield Entry(f"{name}().forward: x", "x", X, world, lambda w, v: [w.layer.forward(v)],
                    takes, expect, kept_as="net" if wide else "natural")  # fmt: skip
        yield Entry(f"{name}().backward: dy", "dy", X[:, :width], world,
                    lambda w, v: [w.layer.backward(v)], rule.rows("dy", width, ROWS))  # fmt: skip


# ---- estimators ----


def _of_estimators() -> Iterator[Entry]:
    for name, y in worlds.Estimator.TARGETS.items():
        world = lambda dtype, name=name: worlds.Estimator(name, dtype)  # noqa: E731

        def fitted(w: Any) -> list[Any]:
            return [*w.estimator.coefs_, w.estimator.loss_curve_]

        for argument, good in (("X", X), ("y", y * 1.0), ("sample_weight", WEIGHTS)):
            for method in ("fit", "partial_fit"):

                def call(w: Any, v: Any, method: str = method, given: str = argument) -> list[Any]:
                    data = {"X": X, "y": w.y, given: v}
                    getattr(w.estimator, method)(**data)
                    return fitted(w)

                yield Entry(f"{name}.{method}: {argument}", argument, good, world, call, None,
                            optional=argument == "sample_weight",
                            kept_as="own" if argument == "y" else "float64")  # fmt: skip
        yield Entry(f"{name}.predict: X", "X", X, world, lambda w, v: [w.estimator.predict(v)],
                    None, kept_as="float64")  # fmt: skip


def entries() -> dict[str, Entry]:
    """All entry points by name."""
    every = [*_of_networks(), *_of_setters(), *_of_graphs(), *_of_losses(),
             *_of_losses_of_one_row(), *_of_layers(),
             *_of_estimators()]  # fmt: skip
    found = {entry.name: entry for entry in every}
    assert len(found) == len(every)
    return found
