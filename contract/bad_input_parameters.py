"""Every parameter of every public function, class and method gets unexpected objects.

The parameters come from the signatures, so new ones are included. A failing call must raise the
package's own error, which must name the parameter. It must leave networks, optimizer, trainer and
callbacks unchanged. Files that cannot be opened or written give the system's errors.
"""

from __future__ import annotations

import inspect
import json
import os
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import fastmlp as fm
from contract.bad_input_objects import ODDITIES
from contract.memory_cases import Cube, as_bytes
from fastmlp import initializers, io

_SEED = 5
X = np.linspace(-1, 1, 36, dtype=np.float32).reshape(12, 3)
Y = np.linspace(1, -1, 24, dtype=np.float32).reshape(12, 2)


class World:
    """A network and the objects that belong to it, in a separate folder."""

    def __init__(self) -> None:
        self.net = fm.Sequential(fm.Linear(3, 4), fm.ReLU(), fm.Linear(4, 2), seed=0)
        self.optimizer = fm.SGD(self.net, lr=0.1)
        self.trainer = fm.Trainer(self.net, fm.MSELoss(), fm.SGD(lr=0.1))
        self.stopping, self.schedule = fm.EarlyStopping(), fm.ReduceLROnPlateau()
        self.layer, self.loss, self.penalty = fm.Linear(3, 2, seed=0), fm.MSELoss(), fm.L2(0.1)
        self.symbol, self.history = fm.Input(3), fm.History()
        self.graph = fm.Graph(self.symbol, fm.Linear(3, 2)(self.symbol), seed=0)

    def state(self) -> Any:
        """Everything that can change, except what a loss or a layer keeps for backward."""
        parameters = [self.net.params, self.graph.params, self.layer.W, self.layer.b]
        keeping = (self.optimizer, self.trainer, self.stopping, self.schedule)
        states = [owner.state_dict() for owner in keeping]
        return as_bytes([parameters, states, self.history.to_dict()])

    def good(self, name: str) -> Any:
        """A good argument for a parameter without a default."""
        known = {
            "net": self.net, "loss": self.loss, "x": X, "y": Y, "dy": Y, "path": "net",
            "scores": Y, "target": self.net.copy(), "other": self.net.copy(),
            "data": self.trainer.checked_data(X, Y, None),
        }  # fmt: skip
        return known[name] if name in known else _NEEDED[name]


# Objects of the package itself, and text that is not a file name.
STRANGE: dict[str, Callable[[], Any]] = {
    **ODDITIES,
    "text with a zero": lambda: "a\0b",
    "text that is not Unicode": lambda: "\ud800",
    "mapping of numbers": lambda: {1: 2},
    "layer": fm.ReLU,
    "class of layers": lambda: fm.Linear,
    "loss": fm.MSELoss,
    "optimizer": lambda: fm.Adam(lr=0.1),
    "schedule": fm.CosineLR,
    "penalty": lambda: fm.L2(0.1),
    "network": lambda: fm.Sequential(fm.Linear(3, 2), seed=0),
    "symbol": lambda: fm.Input(3),
}
_NEEDED: dict[str, Any] = {
    "in_features": 3, "out_features": 2, "features": 3, "pieces": 2, "lam": 0.1, "p": 1.5,
    "gamma": 0.5, "max_lr": 0.5, "quantiles": [0.1, 0.5], "step_size": 2, "width": 3, "every": 1,
    "n": 1, "value": 0.5, "low": -1.0, "high": 1.0, "std": 1.0, "mean": 0.0, "gain": 1.0,
    "node": 0, "layer": fm.ReLU(), "name": "y", "state": {}, "columns": {}, "num_embeddings": 5,
    "embedding_dim": 2, "indices": [0, 2], "activation": "ReLU", "train": [[0, 1], [1, 2]],
    "order": None, "batch_size": 4, "rates": np.ones(3), "tau": 0.5, "folder": "runs",
    "reward": np.ones(3), "done": np.zeros(3), "next_q": np.ones((3, 2)),
    "blocks": [(X, Y)], "next_log_prob": np.zeros(3), "rewards": np.ones(3), "values": np.ones(3),
    "dones": np.zeros(3), "last_values": 0.0, "dx": X,
    "critic": fm.Sequential(fm.Linear(3, 2), seed=0), "jobs": [],
}  # fmt: skip
# Not called by users, made of objects that check their own arguments, or for smooth networks only.
_OTHERS = {
    "FitState", "Parameter", "Symbol", "Custom", "Sequential", "Graph", "History", "ModelFile",
    "LRFinder", "hvp", "write_atomically", "FitJob",
}  # fmt: skip
_METHODS = {
    "net": (
        "forward",
        "backward",
        "predict",
        "save",
        "copy",
        "copy_from",
        "load_state_dict",
        "draw",
        "kept",
        "rows",
        "jacobian",
        "input_gradient",
        "vjp",
        "jvp",
    ),
    "graph": ("sources_of", "__getitem__"),
    "layer": ("forward", "backward", "load_state_dict"),
    "loss": ("forward", "score"),
    "penalty": ("forward", "backward"),
    "symbol": ("named",),
    "history": ("load",),
    "trainer": ("fit", "step", "epoch", "evaluate", "load_state_dict", "save", "load"),
    "optimizer": ("step", "load_state_dict"),
    "stopping": ("load_state_dict",),
    "schedule": ("load_state_dict",),
}


# Alternatives: an error about the first parameter may name the second one.
_ALSO_NAMED = {"net": "lr", "nodes": "inputs", "batch_size": "rates", "name": "node", "scores": "y",
               "layer": "layers", "strict": "state", "order": "rates",
               "values": "rewards"}  # fmt: skip
# Files of other calls than those that take a network's.
_FILES = {"trainer.save": "trainer", "trainer.load": "trainer"}
# Objects that raise errors of their own; these reach the caller.
_RAISING = {"attributes raise", "__len__ raises"}


class Call:
    """A call with one strange argument and otherwise good ones."""

    def __init__(self, name: str, find: Callable[[World], Callable[..., Any]]) -> None:
        self.name, self.find = name, find

    def parameters(self, world: World) -> dict[str, inspect.Parameter]:
        found = inspect.signature(self.find(world)).parameters.values()
        return {p.name: p for p in found if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}

    def __call__(self, world: World, /, **strange: Any) -> None:
        function, known = self.find(world), self.parameters(world)
        # Only rows that come as a stream need no y.
        needed = {p.name for p in known.values() if p.default is p.empty or p.name == "y"}
        needed -= set(strange)
        given = {name: world.good(name) for name in sorted(needed)}
        if "path" in given and self.name in _FILES:
            given["path"] = _FILES[self.name]
        function(**given | strange)


def calls() -> Iterator[Call]:
    """All calls, from the package's own lists of names."""
    kinds = [name for name, found in vars(initializers).items() if _is_initializer(found)]
    sources = ["arrays", "iterable"]
    for module, names in ((fm, fm.__all__), (io, io.__all__), (initializers, kinds),
                          (fm.data, sources)):  # fmt: skip
        for name in sorted(set(names) - _OTHERS):
            found = getattr(module, name)
            is_error = inspect.isclass(found) and issubclass(found, Exception)
            if callable(found) and not is_error and _has_signature(found):
                yield Call(name, partial(_same, found))
    layers = partial(fm.Sequential, fm.Linear(3, 2))
    yield Call("Sequential", partial(_same, layers))
    symbol = fm.Input(3)
    graph = partial(fm.Graph, symbol, fm.Linear(3, 2)(symbol))
    yield Call("Graph", partial(_same, graph))
    yield Call("Parameter", partial(_same, partial(fm.Parameter, 3)))
    yield Call("Sequential(*layers)", partial(_same, _with_layer))
    yield Call("Custom", partial(_same, partial(fm.Custom, Cube())))
    for owner, methods in _METHODS.items():
        for method in methods:
            yield Call(f"{owner}.{method}", partial(_method, owner, method))


def _is_initializer(found: Any) -> bool:
    return inspect.isclass(found) and issubclass(found, initializers.Initializer)


def _has_signature(found: Any) -> bool:
    try:
        inspect.signature(found)
    except ValueError:
        return False
    return True


def _same(found: Any, _: World) -> Any:
    return found


def _with_layer(layer: Any) -> Any:
    return fm.Sequential(fm.Linear(3, 2), layer)


def _method(owner: str, name: str, world: World) -> Any:
    found = getattr(world, owner)
    if name == "backward" and owner != "penalty":
        found.forward(X)
    return getattr(found, name)


def verdict(call: Call, parameter: str, kind: str) -> tuple[str, str]:
    """The outcome, and what is wrong with it."""
    world = World()
    before = world.state()
    try:
        call(world, **{parameter: STRANGE[kind]()})
    except fm.FastMLPError as error:
        if not {parameter, _ALSO_NAMED.get(parameter, parameter)} & set(_words(error)):
            return "error", f"the error does not name it: {error}"
    except (OSError, MemoryError):
        pass
    except Exception as error:
        if kind not in _RAISING:
            return "error", f"{type(error).__name__}: {error}"
    else:
        return "result", ""
    changed = world.state() != before
    return "error", "something has changed" if changed else ""


def _words(error: Exception) -> list[str]:
    return re.findall(r"\w+", str(error))


def cases() -> list[tuple[Call, str, str]]:
    """Every strange object for every parameter."""
    return [
        (call, parameter, kind)
        for call in calls()
        for parameter in call.parameters(World())
        for kind in STRANGE
    ]


def main(count: int) -> None:
    """Try some cases, or all if ``count`` is 0; print the outcomes as JSON."""
    outcomes: Counter[str] = Counter()
    wrong = []
    drawn = cases()
    for call, parameter, kind in random.Random(_SEED).sample(drawn, count or len(drawn)):
        outcome, finding = verdict(call, parameter, kind)
        outcomes[outcome] += 1
        if finding:
            wrong.append(f"{call.name}({parameter}={kind}): {finding}")
    print(json.dumps({"outcomes": outcomes, "wrong": wrong}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        World().net.save("net")
        World().trainer.save("trainer")
        main(int(sys.argv[1]))
