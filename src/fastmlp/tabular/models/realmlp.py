"""RealMLP (Holzmüller, Grinsztajn and Steinwart, "Better by default", NeurIPS 2024)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import fastmlp as fm
from fastmlp import _core
from fastmlp.base import validation
from fastmlp.base.validation import Array
from fastmlp.tabular.encoding import Encoder
from fastmlp.tabular.encoding.bins import Bins
from fastmlp.tabular.models.base import Model
from fastmlp.tabular.models.first_values import set_by_rows
from fastmlp.tabular.models.head import Head

# The published settings: for classes, and for a regression.
_LR = {"class": 0.04, "regression": 0.2}
_SIMPLE_LR = {"class": 0.04, "regression": 0.07}
_DROPOUT, _DECAY, _SMOOTHING = 0.15, 0.02, 0.1
_BETAS = (0.9, 0.95)
# Factors of the learning rate.
_SCALE, _BIAS, _ALPHA, _PERIODIC = 6.0, 0.1, 0.1, 0.1
# A column with more levels is embedded, in so many numbers.
_MOST_ONE_HOT, _EMBEDDING = 8, 8
# The embedding of a number: cosines, outputs beside the number itself, deviation of frequencies.
_COSINES, _PERIODIC_OUTPUTS, _FREQUENCY = 16, 3, 0.1
# Rows that the first values are chosen by: enough for the deviation of a unit to two digits.
_ROWS_OF_FIRST_VALUES = 2048
_EMBEDS_NUMBERS = ("periodic", "slopes")  # layers whose first values do not depend on rows
# Random streams of the first values here; networks and `set_by_rows` use others.
_FIRST_STREAM = 1 << 21


@dataclass(frozen=True, kw_only=True)
class RealMLP(Model):
    """Hyperparameters of RealMLP-TD. None is the published default, which depends on the task.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size : int
        The last, smaller step of each epoch is left out.
    lr : float, optional
        Base learning rate of Adam. Default: 0.04; 0.2 for a regression.
    dropout, weight_decay : float
        At first; in the second half of the training they fall to 0.
    label_smoothing : float
        For classes.
    periodic : bool
        Whether each number is embedded by cosines with learnt frequencies ("PBLD").
    bins : int
        If not 0, numbers become normal quantiles instead of robust ones, and are embedded by a
        piecewise linear encoding with at most so many bins instead of cosines. The published
        network has none.
    embedding : int
        Width of the embedding of a number by bins.
    most_embedded : int, optional
        At most so many numbers are embedded by bins, those with many different values; none if
        there are more of these. By default all are.
    simple : bool
        RealMLP-TD-S: one input for each level, plain activations, no embeddings, no dropout, no
        weight decay, and first values that do not depend on the rows.
    dtype, compute : str
        See `Model`.

    Examples
    --------
    >>> RealMLP(epochs=64).hidden
    (256, 256, 256)
    """

    hidden: tuple[int, ...] = (256, 256, 256)
    epochs: int = 256
    batch_size: int = 256
    lr: float | None = None
    dropout: float = _DROPOUT
    weight_decay: float = _DECAY
    label_smoothing: float = _SMOOTHING
    periodic: bool = True
    bins: int = 0
    embedding: int = 8
    most_embedded: int | None = None
    simple: bool = False

    def __post_init__(self) -> None:
        for width in validation.items(self.hidden, "hidden", "a tuple of widths"):
            validation.size(width, "hidden")
        for name in ("epochs", "batch_size", "embedding"):
            validation.size(getattr(self, name), name)
        validation.integer(self.bins, "bins", 0)
        validation.real(self.dropout, "dropout", 0.0, 1.0, high_open=True)
        validation.real(self.weight_decay, "weight_decay", 0.0)
        validation.real(self.label_smoothing, "label_smoothing", 0.0, 1.0)
        super().__post_init__()

    def encoder(self) -> Encoder:
        """Return an unfitted encoder: robust scaling with a smooth clip, of levels too."""
        most = None if self.simple else _MOST_ONE_HOT
        return Encoder("quantile" if self.bins else "robust", most_one_hot=most, scaled_levels=True)

    def head(self, y: Array, classes: int) -> Head:
        """Return what the outputs mean; predicted numbers are limited to the training's range."""
        return Head.fit(y, classes, clamp=not self.simple)

    def network(self, encoder: Encoder, x: Array, head: Head, seed: int) -> fm.Graph:
        """Make the network with its first weights, for encoded training rows (N, width)."""
        activation: Any = fm.SELU if head.classes else fm.Mish
        bins, places = Bins.fit_some(x[:, : encoder.n_numbers], self.bins, self.most_embedded)
        nodes, width = self._front(encoder, bins, places)
        source = nodes[-1][0] if nodes else "x"
        nodes.append(("scale", fm.Scale(width, bias=False), source))
        for number, size in enumerate(self.hidden, 1):
            nodes.append((f"linear {number}", fm.Linear(width, size), nodes[-1][0]))
            layer = activation() if self.simple else fm.ParametricActivation(activation(), size)
            nodes.append((f"activation {number}", layer, nodes[-1][0]))
            if self.dropout and not self.simple:
                nodes.append((f"dropout {number}", fm.Dropout(self.dropout), nodes[-1][0]))
            width = size
        nodes.append(("y", fm.Linear(width, head.width), nodes[-1][0]))
        net = fm.Graph({"x": encoder.width}, "y", nodes, dtype=self.dtype, seed=seed,
                       compute=self.compute)  # fmt: skip
        _set_periodic(net, seed)
        if bins is not None:
            bins.set_layer(net["edges"])
            _set_normal(net["slopes"], seed)
        if self.simple:
            self._set_simple(net, seed)
        else:
            self._set_by_rows(net, x, seed)
        return net

    def usual(self, rows: int, classes: int) -> dict[str, Any]:
        """Return the published learning rate."""
        rates = _SIMPLE_LR if self.simple else _LR
        return {"lr": rates["class" if classes else "regression"]}

    def settings(self, net: fm.Graph, rows: int, classes: int) -> dict[str, Any]:
        """Return arguments of `fastmlp.fit`."""
        lr = self.usual(rows, classes)["lr"] if self.lr is None else self.lr
        decay = 0.0 if self.simple else self.weight_decay
        schedules = {"weight_decay": fm.FlatCosineLR()} if decay else {}
        if any(isinstance(layer, fm.Dropout) for layer in net.layers):
            schedules["dropout"] = fm.FlatCosineLR()
        return {
            "loss": fm.CrossEntropyLoss(self.label_smoothing) if classes else fm.MSELoss(),
            "optimizer": fm.AdamW(lr=lr, betas=_BETAS, weight_decay=decay, groups=groups(net)),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "drop_last": True,
            "schedule": fm.CosineLogLR(4),
            "schedules": schedules,
        }

    def _front(self, encoder: Encoder, bins: Bins | None, places: Array) -> tuple[list[Any], int]:
        """Return the nodes that embed numbers and levels, and the width after them."""
        numbers, flags, embedded = encoder.n_numbers, encoder.n_flags, encoder.embedded
        periodic = numbers if self.periodic and not self.simple and not self.bins else 0
        if not periodic and not embedded and bins is None:
            return [], encoder.width
        nodes: list[Any] = []
        parts: list[str] = []
        if numbers + flags:
            nodes.append(("plain", fm.GatherColumns(np.arange(numbers + flags)), "x"))
            parts.append("plain")
        if periodic:
            nodes += [
                ("repeated", fm.GatherColumns(np.repeat(np.arange(numbers), _COSINES)), "x"),
                ("angles", fm.Scale(_COSINES * numbers), "repeated"),
                ("cosines", fm.Cos(), "angles"),
                ("periodic", fm.Linear(_COSINES * numbers, _PERIODIC_OUTPUTS * numbers,
                                       groups=numbers), "cosines"),
            ]  # fmt: skip
            parts.append("periodic")
        of_bins = self.embedding * len(places)
        if bins is not None:
            slopes = fm.Linear(len(places) * bins.most, of_bins, bias=False, groups=len(places))
            nodes += [*bins.nodes(places), ("slopes", slopes, "pieces")]
            parts.append("slopes")
        if embedded:
            nodes += [
                ("rows", fm.GatherColumns(np.arange(numbers + flags, encoder.width)), "x"),
                ("levels", fm.Embedding(sum(embedded), _EMBEDDING, len(embedded)), "rows"),
            ]
            parts.append("levels")
        if len(parts) > 1:
            nodes.append(("embedded", fm.Concat(), parts))
        width = numbers + flags + _PERIODIC_OUTPUTS * periodic + of_bins
        return nodes, width + _EMBEDDING * len(embedded)

    def _set_by_rows(self, net: fm.Graph, x: Array, seed: int) -> None:
        """Set the weights of the hidden layers and of the last one by training rows."""
        if len(x) > _ROWS_OF_FIRST_VALUES:
            x = x[_core.permutation(len(x), seed, 0)[:_ROWS_OF_FIRST_VALUES]]
        values = {"x": x}
        number = 0
        for name, layer in net.nodes.items():
            sources: list[Any] = [values[source] for source in net.sources_of(name)]
            if isinstance(layer, fm.Linear) and name not in _EMBEDS_NUMBERS:
                values[name] = set_by_rows(layer, sources[0], seed, number)
                number += 1
            else:
                values[name] = layer.forward(*sources)

    def _set_simple(self, net: fm.Graph, seed: int) -> None:
        """Set the first weights of RealMLP-TD-S."""
        for number in range(1, len(self.hidden) + 1):
            layer = net[f"linear {number}"]
            stream = _FIRST_STREAM + 2 * number + 4
            _set_normal(layer, seed, stream)
            layer.b[...] = _core.random_normal(layer.b.size, seed, stream + 1)
        net["y"].W[...], net["y"].b[...] = 0.0, 0.0


def _set_normal(layer: Any, seed: int, stream: int = _FIRST_STREAM) -> None:
    """Set the weights of a linear layer: normal, of the variance 1 / fan_in."""
    draws = _core.random_normal(layer.W.size, seed, stream).reshape(layer.W.shape)
    layer.W[...] = draws / math.sqrt(layer.in_features // layer.groups)


def _set_periodic(net: fm.Graph, seed: int) -> None:
    """Set the first weights of the embedding of numbers."""
    if "angles" not in net.nodes:
        return
    angles, mixed = net["angles"], net["periodic"]
    frequencies = _FREQUENCY * _core.random_normal(angles.features, seed, _FIRST_STREAM)
    angles.gain[...] = 2.0 * math.pi * frequencies
    angles.shift[...] = math.pi * _signed(angles.shift, seed, _FIRST_STREAM + 1)
    bound = 1.0 / math.sqrt(_COSINES)
    mixed.W[...] = bound * _signed(mixed.W, seed, _FIRST_STREAM + 2)
    mixed.b[...] = bound * _signed(mixed.b, seed, _FIRST_STREAM + 3)


def _signed(like: Array, seed: int, stream: int) -> Array:
    """Return uniform numbers from -1 to 1, in the shape of an array."""
    draws = _core.random_uniform(like.size, seed, stream).reshape(like.shape)
    found: Array = 2.0 * draws - 1.0
    return found


def groups(net: fm.Graph) -> dict[str, dict[str, float]]:
    """Return the factors of learning rate and weight decay of a network of RealMLP.

    The published network computes ``x @ W / sqrt(fan_in) + b``, so that its steps in ``W`` are
    smaller by that root in ours, and its frequencies are ours over 2 pi. The published code
    multiplies a weight by ``1 - lr wd (f_lr f_wd)**2``: it takes each factor twice.
    """
    found: dict[str, dict[str, float]] = {}
    for name, layer in net.nodes.items():
        if name == "angles":
            found["angles.gain"] = _factors(_PERIODIC, 2.0 * math.pi)
            found["angles.shift"] = _factors(_PERIODIC)
        elif name == "periodic":
            found["periodic"] = _factors(_PERIODIC)
        elif name == "slopes":
            found[name] = _factors(1.0, 1.0 / math.sqrt(layer.in_features // layer.groups))
        elif isinstance(layer, fm.Scale) and layer.trainable:
            found[name] = _factors(_SCALE)
        elif isinstance(layer, fm.ParametricActivation):
            found[name] = _factors(_ALPHA)
        elif isinstance(layer, fm.Linear):
            found[f"{name}.W"] = _factors(1.0, 1.0 / math.sqrt(layer.in_features))
            found[f"{name}.b"] = {"lr": _BIAS, "weight_decay": 0.0}
    return found


def _factors(published: float, unit: float = 1.0) -> dict[str, float]:
    """Return the factors for a published one; ours is `unit` times the published weight."""
    return {"lr": published * unit, "weight_decay": published / unit}
