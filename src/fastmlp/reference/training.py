"""The training loop, step by step, and gradients by central differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import Array, as_float
from .layers import Dropout, Sequential, assign, flatten
from .loss_base import Loss
from .losses import CrossEntropyLoss
from .norms import BatchNorm
from .optimizers import Optimizer, clip_by_norm
from .penalties import Penalty
from .rng import permutation
from .shards import shard_rows, tree_sum


class Trainer:
    """Runs steps: forward, loss, backward, penalties, clipping, update.

    Parameters
    ----------
    net, loss, optimizer : the network and how it is trained
    penalties : added to the loss, for every weight matrix
    clip_norm : largest norm of the gradient, with penalties; 0 for no limit
    shards : a power of two: the gradients of so many contiguous parts of a batch are computed by
        themselves and added in a fixed binary tree

    Examples
    --------
    >>> from fastmlp.reference import SGD, Linear, MSELoss
    >>> net = Sequential(Linear([[0.0]]))
    >>> trainer = Trainer(net, MSELoss(), SGD(lr=0.25))
    >>> [trainer.step([[1.0]], [[2.0]]) for _ in range(3)]
    [4.0, 1.0, 0.25]
    """

    def __init__(
        self,
        net: Sequential,
        loss: Loss,
        optimizer: Optimizer,
        penalties: Sequence[Penalty] = (),
        clip_norm: float = 0.0,
        shards: int = 1,
    ) -> None:
        self.shards = shards
        for layer in net.layers:
            if isinstance(layer, BatchNorm):
                layer.shards = shards
        self.net, self.loss, self.optimizer = net, loss, optimizer
        self.penalties, self.clip_norm = penalties, clip_norm
        self.penalty = 0.0  # of the last step, before its update
        self.chances = [(layer, layer.p) for layer in net.layers if isinstance(layer, Dropout)]

    def step(
        self, x: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """One update on one batch; returns the loss before it, penalties included."""
        scores = self.net.forward(x, training=True)
        value = self.loss.forward(scores, target, sample_weight)
        self._backward(self.loss.backward())
        self.penalty = self._penalise()
        params, grads = flatten(self.net.params), flatten(self.net.grads)
        # Frozen parameters have no part in the norm.
        grads = np.where(np.equal(self.optimizer.lr_factor, 0.0), 0.0, grads)
        if self.clip_norm > 0.0:
            grads = clip_by_norm(grads, self.clip_norm)
        self.optimizer.step(params, grads)
        assign(self.net.params, params)
        return value + self.penalty

    def epoch(
        self,
        x: ArrayLike,
        target: ArrayLike,
        order: NDArray[np.int64],
        batch_size: int,
        sample_weight: ArrayLike | None = None,
        lrs: Sequence[float] | None = None,
        weight_decays: Sequence[float] | None = None,
        dropouts: Sequence[float] | None = None,
        label_smoothings: Sequence[float] | None = None,
    ) -> Iterator[tuple[int, float]]:
        """Run the steps of an epoch in the given order; yield (rows, loss) after each update.

        The last batch has the remaining rows. ``lrs`` gives every step its own learning rate,
        ``weight_decays`` its weight decay, ``label_smoothings`` its label smoothing, and
        ``dropouts`` a factor of the probabilities of dropout.
        """
        x, target = as_float(x), np.asarray(target)
        weight = None if sample_weight is None else as_float(sample_weight)
        for number, start in enumerate(range(0, len(order), batch_size)):
            if lrs is not None:
                self.optimizer.lr = lrs[number]
            if weight_decays is not None:
                self.optimizer.weight_decay = weight_decays[number]
            if label_smoothings is not None and isinstance(self.loss, CrossEntropyLoss):
                self.loss.label_smoothing = label_smoothings[number]
            if dropouts is not None:
                for layer, p in self.chances:
                    layer.p = dropouts[number] * p
            rows = order[start : start + batch_size]
            batch_weight = None if weight is None else weight[rows]
            yield len(rows), self.step(x[rows], target[rows], batch_weight)

    def _backward(self, dscores: Array) -> None:
        """Set the gradients: sums over the shards, each of its own rows."""
        parts = []
        for rows in shard_rows(len(dscores), self.shards):
            own = np.zeros_like(dscores)
            own[rows] = dscores[rows]
            self.net.backward(own)
            parts.append(flatten(self.net.grads))
        assign(self.net.grads, tree_sum(parts))

    def _penalise(self) -> float:
        value = 0.0
        for layer in self.net.linears:
            for penalty in self.penalties:
                value += penalty.value(layer.W)
                layer.dW += penalty.gradient(layer.W)
        return value


def fit(
    net: Sequential,
    x: ArrayLike,
    target: ArrayLike,
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    penalties: Sequence[Penalty] = (),
    clip_norm: float = 0.0,
    sample_weight: ArrayLike | None = None,
    shuffle: bool = True,
    seed: int = 0,
) -> list[float]:
    """Train in place; return the loss of each epoch, with the weights at the time of each batch.

    A mean weights the batches by their sample weights, a sum adds them up. Penalties are averaged
    over the rows.

    Parameters
    ----------
    x : (N, n_in)
    target : (N,) or (N, C), as the loss takes it
    sample_weight : (N,), or None for equal weights
    shuffle : whether epoch ``e`` runs in the order ``permutation(N, seed, e)``, else as given

    Examples
    --------
    >>> from fastmlp.reference import SGD, Linear, MSELoss
    >>> net = Sequential(Linear([[0.0]], [0.0]))
    >>> x = np.arange(4.0)[:, np.newaxis]
    >>> history = fit(net, x, 2 * x + 1, loss=MSELoss(), optimizer=SGD(lr=0.1),
    ...               epochs=200, batch_size=3)
    >>> history[-1] < 1e-9
    True
    >>> net.forward([[10.0]]).round(3)
    array([[21.]])
    """
    trainer = Trainer(net, loss, optimizer, penalties, clip_norm)
    n = len(as_float(x))
    weight = np.ones(n) if sample_weight is None else as_float(sample_weight)
    history = []
    for epoch in range(epochs):
        order = permutation(n, seed, epoch) if shuffle else np.arange(n)
        data, penalty, start = 0.0, 0.0, 0
        for rows, value in trainer.epoch(x, target, order, batch_size, sample_weight):
            batch_weight = float(weight[order[start : start + rows]].sum())
            share = batch_weight / weight.sum() if loss.reduction == "mean" else 1.0
            data += share * (value - trainer.penalty)
            penalty += rows / n * trainer.penalty
            start += rows
        history.append(float(data + penalty))
    return history


def central_difference(f: Callable[[], float], x: Array, h: float = 1e-6) -> Array:
    """The gradient of ``f()`` with respect to ``x``, by ``(f(x + h) - f(x - h)) / 2h``.

    ``f`` reads ``x``, a writable array. Each element in turn is changed and restored.

    Examples
    --------
    >>> x = np.array([1.0, 2.0])
    >>> central_difference(lambda: float(np.sum(x**3)), x).round(4)
    array([ 3., 12.])
    """
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        here = x[index]
        x[index] = here + h
        above = f()
        x[index] = here - h
        below = f()
        x[index] = here
        gradient[index] = (above - below) / (2.0 * h)
    return gradient
