"""TabM (Gorishniy, Kotelnikov and Babenko, ICLR 2025): members that share most of their weights."""

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
from fastmlp.tabular.models.head import Head

# Random streams of the first values; networks use streams from 0 on.
_FIRST_STREAM = 1 << 20
# The published settings that are not hyperparameters here.
_CLIP_NORM = 1.0


@dataclass(frozen=True, kw_only=True)
class TabM(Model):
    """Hyperparameters of TabM. The defaults are the published ones.

    Member i of k computes ``s_i * ((r_i * x) @ W) + b_i`` in each block: W is shared, r, s and b
    are its own. The loss is the mean of the members' losses, the prediction the mean of their
    predictions.

    Parameters
    ----------
    members : int
        k.
    hidden : tuple of int, optional
        Widths of the blocks. Default: 3 blocks of 512; 2 if numbers are embedded.
    bins : int
        Numbers are embedded by a piecewise linear encoding with at most so many bins, learnt from
        quantiles of the training rows. 0: they are not embedded.
    embedding : int
        Width of the embedding of a number.
    most_embedded : int, optional
        At most so many numbers are embedded, those with many different values; none if there are
        more of these. By default all are.
    mini : bool
        TabM-mini: only r of the first block is a member's own.
    epochs, batch_size : int
        At most so many epochs: the training ends before, see ``waits``.
    waits : int
        Epochs without a better metric that end the training.
    lr, weight_decay, dropout : float
    annealed : bool
        One cycle of learning rates, up to `lr` and down again, over all epochs; ``waits`` then does
        not count. The published training has a constant rate.
    dtype, compute : str
        See `Model`.

    Examples
    --------
    >>> TabM(members=8).bins
    48
    """

    members: int = 32
    hidden: tuple[int, ...] | None = None
    bins: int = 48
    embedding: int = 16
    most_embedded: int | None = None
    mini: bool = False
    epochs: int = 256
    batch_size: int = 256
    waits: int = 16
    lr: float = 2e-3
    weight_decay: float = 3e-4
    dropout: float = 0.1
    annealed: bool = False

    def __post_init__(self) -> None:
        for name in ("members", "embedding", "epochs", "batch_size", "waits"):
            validation.size(getattr(self, name), name)
        for width in validation.items(self.hidden or (), "hidden", "a tuple of widths"):
            validation.size(width, "hidden")
        validation.integer(self.bins, "bins", 0)
        validation.real(self.dropout, "dropout", 0.0, 1.0, high_open=True)
        validation.real(self.lr, "lr", 0.0)
        validation.real(self.weight_decay, "weight_decay", 0.0)
        super().__post_init__()

    def encoder(self) -> Encoder:
        """Return an unfitted encoder: normal quantiles of numbers, and one input for each level."""
        return Encoder("quantile")

    def head(self, y: Array, classes: int) -> Head:
        """Return what the outputs mean: `members` predictions side by side."""
        return Head.fit(y, classes, members=self.members)

    def patience(self, rows: int) -> int | None:
        """Return the number of epochs without a better metric that end the training."""
        return None if self.annealed else self.waits

    def network(self, encoder: Encoder, x: Array, head: Head, seed: int) -> fm.Graph:
        """Make the network with its first weights, for encoded training rows (N, width)."""
        k = self.members
        numbers = x[:, : encoder.n_numbers]
        bins, places = Bins.fit_some(numbers, self.bins, self.most_embedded)
        hidden = self.hidden or (512,) * (3 if bins is None else 2)
        nodes, width = self._front(encoder, bins, places)
        source = nodes[-1][0] if nodes else "x"
        nodes.append(("copies", fm.GatherColumns(np.tile(np.arange(width), k)), source))
        for number, size in enumerate(hidden, 1):
            nodes += self._block(number, width, size, nodes[-1][0])
            width = size
        nodes.append(("y", fm.Linear(k * width, head.width, groups=k), nodes[-1][0]))
        net = fm.Graph({"x": encoder.width}, "y", nodes, dtype=self.dtype, seed=seed,
                       compute=self.compute)  # fmt: skip
        if bins is not None:
            bins.set_layer(net["edges"])
        self._set_first_values(net, self._chunks(encoder, len(places)), seed)
        return net

    def settings(self, net: fm.Graph, rows: int, classes: int) -> dict[str, Any]:
        """Return arguments of `fastmlp.fit`."""
        k = self.members
        return {
            "loss": fm.CrossEntropyLoss(fold=k) if classes else fm.MSELoss(fold=k),
            "optimizer": fm.AdamW(lr=self.lr, weight_decay=self.weight_decay, clip_norm=_CLIP_NORM),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "schedule": fm.OneCycleLR(self.lr) if self.annealed else None,
        }

    def _block(self, number: int, width: int, size: int, source: str) -> list[Any]:
        """Return the nodes of a block."""
        k = self.members
        nodes: list[Any] = []
        if number == 1 or not self.mini:
            nodes.append((f"r {number}", fm.Scale(k * width, bias=False), source))
            source = nodes[-1][0]
        shared = fm.Linear(width, size, bias=self.mini, fold=k)
        nodes.append((f"linear {number}", shared, source))
        if not self.mini:
            nodes.append((f"s {number}", fm.Scale(k * size), nodes[-1][0]))
        nodes.append((f"relu {number}", fm.ReLU(), nodes[-1][0]))
        if self.dropout:
            nodes.append((f"dropout {number}", fm.Dropout(self.dropout), nodes[-1][0]))
        return nodes

    def _front(self, encoder: Encoder, bins: Bins | None, places: Array) -> tuple[list[Any], int]:
        """Return the nodes that embed numbers, and the width after them."""
        if bins is None:
            return [], encoder.width
        count = len(places)
        out = count * self.embedding
        nodes: list[Any] = [
            ("numbers", fm.GatherColumns(np.repeat(places, self.embedding)), "x"),
            ("line", fm.Scale(out), "numbers"),
            *bins.nodes(places),
            ("slopes", fm.Linear(count * bins.most, out, bias=False, groups=count), "pieces"),
            ("embedded", fm.Add(), ["slopes", "line"]),
        ]
        others = np.setdiff1d(np.arange(encoder.width), places)
        if len(others):
            nodes += [
                ("others", fm.GatherColumns(others), "x"),
                ("all", fm.Concat(), ["embedded", "others"]),
            ]
        return nodes, out + len(others)

    def _chunks(self, encoder: Encoder, embedded: int) -> list[int]:
        """Return the number of columns, after the embedding, of each column of the table."""
        plain = encoder.n_numbers - embedded
        return [self.embedding] * embedded + [1] * plain + encoder.flag_widths

    def _set_first_values(self, net: fm.Graph, chunks: list[int], seed: int) -> None:
        """Set the first weights: only the first r differs between the members.

        It has one random number for each member and each column of the table.
        """
        draw = _Draws(seed)
        normal = "embedded" in net.nodes
        shape = (self.members, len(chunks))
        first = draw.normal(shape) if normal else np.sign(draw.uniform(shape, 1.0))
        net["r 1"].gain[...] = np.repeat(first, chunks, axis=1).ravel()
        if normal:
            bound = 1.0 / math.sqrt(self.embedding)
            net["line"].gain[...] = draw.uniform(net["line"].gain.shape, bound)
            net["line"].shift[...] = draw.uniform(net["line"].shift.shape, bound)
            net["slopes"].W[...] = 0.0
        for name, layer in net.nodes.items():
            if name != "y" and not name.startswith("linear"):
                continue
            bound = 1.0 / math.sqrt(layer.in_features // layer.groups)
            layer.W[...] = draw.uniform(layer.W.shape, bound)
            if layer.bias:
                layer.b[...] = draw.uniform(layer.b.shape, bound)
            else:
                shift = net[name.replace("linear", "s")].shift
                shift[...] = np.tile(draw.uniform((layer.out_features,), bound), self.members)


class _Draws:
    """Random arrays, each from a stream of its own."""

    def __init__(self, seed: int) -> None:
        self._seed, self._stream = seed, _FIRST_STREAM

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Standard normal numbers."""
        self._stream += 1
        return _core.random_normal(math.prod(shape), self._seed, self._stream).reshape(shape)

    def uniform(self, shape: tuple[int, ...], bound: float) -> Array:
        """Numbers between plus and minus `bound`."""
        self._stream += 1
        draws = _core.random_uniform(math.prod(shape), self._seed, self._stream)
        return bound * (2.0 * draws.reshape(shape) - 1.0)
