"""Which hyperparameters are searched, and where. One row of `SPACES` is one kind of model.

The ranges are the published ones: RealMLP's of TabArena (pytabkit, space "tabarena": Holzmüller,
Grinsztajn and Steinwart, NeurIPS 2024; Erickson et al., 2025), TabM's of its authors (Gorishniy,
Kotelnikov and Babenko, ICLR 2025), and the MLP's of Gorishniy, Rubachev, Khrulkov and Babenko
(NeurIPS 2021). Three things differ. Widths end at 384, as trials have seconds and not hours. TabM's
learning rates are four times as high, as its rate goes through one cycle here. And the number of
epochs is searched, as the presets have few where there are many rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastmlp.tabular.models import MLP, Model, RealMLP, TabM

KIND = "model"  # the parameter that chooses among kinds of models


@dataclass(frozen=True)
class Number:
    """A real parameter."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: Any, name: str) -> float:
        """Draw it for a trial of Optuna."""
        return float(trial.suggest_float(name, self.low, self.high, log=self.log))

    def near(self, value: float) -> float:
        """Return the value of the range that is nearest."""
        return min(max(float(value), self.low), self.high)


@dataclass(frozen=True)
class Choice:
    """A parameter with some values."""

    values: tuple[int, ...]

    def suggest(self, trial: Any, name: str) -> int:
        """Draw it for a trial of Optuna."""
        return int(trial.suggest_categorical(name, list(self.values)))

    def near(self, value: float) -> int:
        """Return the value that is nearest."""
        return min(self.values, key=lambda one: abs(one - value))


Parameter = Number | Choice
_LAYERS, _WIDTHS = Choice((1, 2, 3, 4)), Choice((64, 128, 192, 256, 384))
_DROPOUT = Number(0.0, 0.5)
# Times as many epochs as those of the model that the search starts from.
_LENGTH = Number(0.5, 4.0, log=True)

SPACES: dict[type[Model], dict[str, Parameter]] = {
    RealMLP: {
        "layers": _LAYERS,
        "width": _WIDTHS,
        "length": _LENGTH,
        "lr": Number(0.01, 0.4, log=True),
        "dropout": _DROPOUT,
        "weight_decay": Number(1e-3, 0.1, log=True),
        "label_smoothing": Number(0.0, 0.15),
        "bins": Choice((0, 8, 16, 32, 64)),
        "embedding": Choice((4, 8, 16)),
    },
    TabM: {
        "layers": _LAYERS,
        "width": _WIDTHS,
        "length": _LENGTH,
        "lr": Number(5e-4, 0.02, log=True),
        "dropout": _DROPOUT,
        "weight_decay": Number(1e-5, 0.1, log=True),
        "bins": Choice((0, 8, 16, 32, 64)),
        "embedding": Choice((4, 8, 16)),
        "members": Choice((1, 2, 4, 8)),
    },
    MLP: {
        "layers": _LAYERS,
        "width": _WIDTHS,
        "length": _LENGTH,
        "lr": Number(3e-4, 0.02, log=True),
        "dropout": _DROPOUT,
    },
}


@dataclass(frozen=True)
class Space:
    """The models that are searched among.

    Attributes
    ----------
    starts : tuple of Model
        The models that the search starts from, one of each kind; what is not searched stays.
    classes : int
        0: a regression.
    rows : int
        Rows that a network is trained on.
    """

    starts: tuple[Model, ...]
    classes: int
    rows: int

    @property
    def kinds(self) -> list[str]:
        """Names of the kinds of models."""
        return [kind_of(model) for model in self.starts]

    def parameters(self, kind: str) -> dict[str, Parameter]:
        """Return the parameters that are searched for a kind of model."""
        found = dict(SPACES[type(self._start(kind))])
        if not self.classes:
            found.pop("label_smoothing", None)
        return found

    def suggest(self, trial: Any) -> Model:
        """Draw a model for a trial of Optuna."""
        kind = str(trial.suggest_categorical(KIND, self.kinds))
        searched = self.parameters(kind)
        return self._model(kind, {name: one.suggest(trial, f"{kind}.{name}")
                                  for name, one in searched.items()})  # fmt: skip

    def model_of(self, parameters: Mapping[str, Any]) -> Model:
        """Return the model of the parameters of a trial."""
        kind = str(parameters[KIND])
        return self._model(kind, {name: parameters[f"{kind}.{name}"]
                                  for name in self.parameters(kind)})  # fmt: skip

    def first_trials(self) -> list[dict[str, Any]]:
        """Return the parameters to try first: those of the starts, and some that are often good.

        More epochs, and these with wider layers and more dropout, are better on most tables of a
        few thousand rows; a learning rate of a third is on those with much noise.
        """
        found = [self._near(model, {}) for model in self.starts]
        found += [self._near(model, {"length": 2.0}) for model in self.starts]
        wider = {"length": 2.0, "width": 256, "dropout": 0.25}
        return [*found, *(self._near(model, wider) for model in self.starts)]

    def _near(self, model: Model, changed: Mapping[str, float]) -> dict[str, Any]:
        kind = kind_of(model)
        values = {**_values(model, self.classes, self.rows), **changed}
        near = {f"{kind}.{name}": one.near(values[name])
                for name, one in self.parameters(kind).items()}  # fmt: skip
        return {KIND: kind, **near}

    def _model(self, kind: str, values: Mapping[str, Any]) -> Model:
        start = self._start(kind)
        rest = {k: v for k, v in values.items() if k not in ("layers", "width", "length")}
        epochs = max(1, round(values["length"] * _epochs(start, self.rows)))
        hidden = (values["width"],) * values["layers"]
        return replace(start, hidden=hidden, epochs=epochs, **rest)  # type: ignore[call-arg]

    def _start(self, kind: str) -> Model:
        return self.starts[self.kinds.index(kind)]


def kind_of(model: Model) -> str:
    """Return the name of a kind of model, as in `MODELS`."""
    return type(model).__name__.lower()


def _values(model: Any, classes: int, rows: int) -> dict[str, float]:
    """Return the values of all parameters of a model that may be searched."""
    fields = type(model).__dataclass_fields__
    hidden: Sequence[int] = model.hidden or (512, 512)
    found = {name: getattr(model, name) for name in fields if name in _NAMES}
    usual = model.usual(rows, classes)
    given = {name: usual[name] if value is None else value for name, value in found.items()}
    return {**given, "layers": len(hidden), "width": max(hidden), "length": 1.0}


def _epochs(model: Any, rows: int) -> int:
    return int(model.usual(rows, 0)["epochs"] if model.epochs is None else model.epochs)


_NAMES = {name for space in SPACES.values() for name in space}
