"""The interface of a model for tables. A model is one file here and one row of `MODELS`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import fastmlp as fm
from fastmlp.base import validation
from fastmlp.base.compute import compute_type
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_keys
from fastmlp.tabular.encoding import Encoder
from fastmlp.tabular.models.head import Head
from fastmlp.tabular.reading import TableError

if TYPE_CHECKING:
    from fastmlp.tabular.columns import ReadTable

# Takes targets (N,) and outputs (N, classes) or (N,); the less, the better.
Metric = Callable[[Array, Array], float]


@dataclass(frozen=True)
class Member:
    """A trained network with all that it needs to predict the rows of a read table.

    Attributes
    ----------
    net : Sequential or Graph
    encoder : Encoder
    head : Head
    history : History
        Of its training; ``val_loss`` is the metric on the validation rows.
    """

    net: Any
    encoder: Encoder
    head: Head
    history: fm.History

    def outputs(self, read: ReadTable) -> Array:
        """Predict rows: probabilities (N, classes), or numbers (N,). Thread-safe."""
        encode = self.encoder.inputs if self.net.takes_sparse else self.encoder.transform
        return self.head.outputs(self.net.predict(encode(read, self.net.dtype)))

    def describe(self) -> dict[str, Any]:
        """Return all but the network and the history as values that JSON can hold."""
        return {"encoder": self.encoder.describe(), "head": self.head.describe()}

    @classmethod
    def from_description(cls, net: Any, description: Any) -> Member:
        """Build a member, with an empty history; the description may come from a hostile file.

        Raises
        ------
        ArgumentError
            If it does not have the form that `describe` returns, or does not fit the network.
        """
        check_keys(description, {"encoder", "head"}, "a member")
        encoder = Encoder.from_description(description["encoder"])
        head = Head.from_description(description["head"])
        widths = net.core_net().widths_in, net.core_net().widths_out
        if (list(widths[0]), list(widths[1])) != ([encoder.width], [head.width]):
            raise ArgumentError(
                f"its network has the widths {widths[0]} and {widths[1]}, its table "
                f"{encoder.width} and {head.width}"
            )
        return cls(net, encoder, head, fm.History())


@dataclass(frozen=True)
class Encoded:
    """Training and validation rows as inputs of a network, and the encoder that made them."""

    encoder: Encoder
    x: Any
    x_validation: Any


@dataclass(frozen=True, kw_only=True)
class Model(ABC):
    """Base of the models: hyperparameters of a kind of network, and how it is trained.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Precision of inputs and weights.
    compute : {None, "bfloat16"}
        With "bfloat16", the operands of the network's matrix products are rounded to bfloat16.
    """

    dtype: str = "float32"
    compute: str | None = None
    takes_sparse: ClassVar[bool] = False  # whether `network` takes sparse rows

    def __post_init__(self) -> None:
        compute_type(self.compute, validation.float_dtype(self.dtype))

    @abstractmethod
    def encoder(self) -> Encoder:
        """Return an unfitted encoder that suits the network."""

    @abstractmethod
    def head(self, y: Array, classes: int) -> Head:
        """Return what the outputs mean, for the targets of the training rows."""

    @abstractmethod
    def network(self, encoder: Encoder, x: Any, head: Head, seed: int) -> Any:
        """Make the network with its first weights, for encoded training rows."""

    @abstractmethod
    def settings(self, net: Any, rows: int, classes: int) -> dict[str, Any]:
        """Return arguments of `fastmlp.fit`: loss, optimizer, epochs, schedules and so on."""

    def patience(self, rows: int) -> int | None:
        """Return the number of epochs without a better metric that end the training, or None."""
        return None

    def usual(self, rows: int, classes: int) -> dict[str, Any]:
        """Return what the hyperparameters that are None stand for, with so many training rows."""
        return {}

    @property
    def encoding(self) -> tuple[Any, ...]:
        """What `encode` depends on beside the rows: equal for models that can share its result."""
        return self.encoder().settings, self.dtype, self.takes_sparse

    def encode(self, train: ReadTable, validation: ReadTable | None) -> Encoded:
        """Fit an encoder to the training rows, and encode these and the validation rows."""
        encoder = self.encoder().fit(train)
        encode = encoder.inputs if self.takes_sparse else encoder.transform
        held_out = None if validation is None else encode(validation, self.dtype)
        return Encoded(encoder, encode(train, self.dtype), held_out)

    def fit_member(
        self,
        train: ReadTable,
        y: Array,
        validation: ReadTable | None = None,
        y_validation: Array | None = None,
        *,
        classes: int,
        sample_weight: Array | None = None,
        metric: Metric | None = None,
        seed: int = 0,
        callbacks: Sequence[Any] = (),
        encoded: Encoded | None = None,
    ) -> Member:
        """Train a network.

        With validation rows, the network is that of the epoch with the least metric, the last one
        of equal ones. Without, it is that of the last epoch.

        Parameters
        ----------
        train, validation : ReadTable
        y, y_validation : ndarray, shape (N,)
            Indices of classes, int64, or numbers, float64.
        classes : int
            Number of classes; 0 for a regression.
        sample_weight : ndarray, shape (N,), optional
            Weights of the training rows.
        metric : callable, optional
            ``metric(y, outputs)``, the less the better. By default the share of wrong classes, or
            the root of the mean squared error.
        seed : int
            Of the first weights, the batches and the dropout.
        callbacks : sequence of objects with ``on_epoch_end(state)``
        encoded : Encoded, optional
            What `encode` returns for these rows, if it is there already.

        Raises
        ------
        TableError
            If weights are not finite at the end.

        Warns
        -----
        RuntimeWarning
            If the loss is no longer finite, before the error.
        """
        encoded = encoded or self.encode(train, validation)
        head = self.head(y, classes)
        held = None
        if validation is not None:
            assert y_validation is not None
            held = encoded.x_validation, y_validation
        return self.fit_encoded(
            encoded.encoder, head, encoded.x, encoded.x, head.target(y, self.dtype), held,
            sample_weight=sample_weight, metric=metric, seed=seed, callbacks=callbacks,
        )  # fmt: skip

    def fit_encoded(
        self, encoder: Encoder, head: Head, some: Any, x: Any, target: Array,
        held: tuple[Any, Array] | None, *, sample_weight: Array | None = None,
        metric: Metric | None = None, seed: int = 0, callbacks: Sequence[Any] = (),
    ) -> Member:  # fmt: skip
        """Train a network on encoded rows.

        Parameters
        ----------
        some : ndarray or SparseRows
            Encoded training rows by which first values are chosen.
        x, target : ndarray, or SparseRows
            All of them, which may be memory-mapped, and what `Head.target` returned for them.
        held : tuple of (inputs, targets), optional
            Encoded validation rows, and their class indices or numbers.

        The others are those of `fit_member`.
        """
        net = self.network(encoder, some, head, seed)
        settings = self.settings(net, len(target), head.classes)
        hooks: list[Any] = []
        if held is not None:
            measured = metric or (wrong_share if head.classes else root_mean_square)
            hooks = [
                _Evaluation(head, *held, measured),
                fm.EarlyStopping(self.patience(len(target)) or settings["epochs"], ties="last"),
            ]
        history = fm.fit(
            net, x, target, sample_weight=sample_weight, seed=seed, progress=False,
            callbacks=[*hooks, *callbacks], **settings,
        )  # fmt: skip
        _check_finite(net, history)
        return Member(net, encoder, head, history)


def _check_finite(net: Any, history: fm.History) -> None:
    if not np.isfinite(net.params).all():
        raise TableError(
            f"training diverged: some weights are no longer finite after {len(history)} epochs; "
            "try a smaller `lr`"
        )


class _Evaluation:
    """A callback that computes the metric of the validation rows, as the fit's validation loss."""

    def __init__(self, head: Head, x: Any, y: Array, metric: Metric) -> None:
        self._head, self._x, self._y, self._metric = head, x, y, metric

    def on_fit_start(self, state: fm.FitState) -> None:
        state.has_validation = True

    def on_epoch_end(self, state: fm.FitState) -> None:
        value = self._metric(self._y, self._head.outputs(state.net.predict(self._x)))
        # A history has both or none; the larger a score, the better.
        state.val_loss, state.val_score = float(value), -float(value)
        state.history.val_loss.append(state.val_loss)
        state.history.val_score.append(state.val_score)


def wrong_share(y: Array, outputs: Array) -> float:
    """Return the share of rows (N,) whose most probable class (N, classes) is wrong."""
    return float((outputs.argmax(axis=1) != y).mean())


def root_mean_square(y: Array, outputs: Array) -> float:
    """Return the root of the mean squared difference of two (N,) arrays."""
    return float(np.sqrt(np.mean((outputs - y) ** 2)))
