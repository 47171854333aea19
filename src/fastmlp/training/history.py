"""The history of a fit, and the state that callbacks see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, MissingPackageError
from fastmlp.base.host import in_notebook

if TYPE_CHECKING:
    from fastmlp.base.validation import Array
    from fastmlp.networks.base import Network
    from fastmlp.training.feed import Begun
    from fastmlp.training.protocol import TrainerLike
    from fastmlp.training.stream_progress import StreamProgress

_COLUMNS = ("loss", "val_loss", "val_score", "lr", "seconds")
_OF_MEMBERS = ("member_loss", "val_member_loss", "val_member_score")


class History:
    """The losses, scores, rates and times of a fit, one number for each epoch.

    Attributes
    ----------
    loss : list of float
        Mean training loss over the samples, each with the weights of its step; with penalties.
    val_loss, val_score : list of float
        Validation loss, without penalties, and score; empty without validation.
    lr : list of float
        Learning rate of the epoch's last step.
    seconds : list of float
        Wall-clock time of training and validation.
    member_loss, val_member_loss, val_member_score : list of list of float
        For a loss with a ``fold``: each member's part of ``loss``, without penalties, of
        ``val_loss`` and of ``val_score``. Otherwise empty.
    score_name : str
        The measure in ``val_score``: the loss's ``score_name``.

    Examples
    --------
    >>> import fastmlp as fm
    >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
    >>> fm.fit(net, [[0.0], [1.0]], [0, 1], loss=fm.MSELoss(), epochs=3, progress=False)
    History(epochs=3, loss=...)
    """

    def __init__(self, score_name: str = "score", members: int = 1) -> None:
        self.score_name, self._members = score_name, members
        self.member_loss: list[list[float]] = []
        self.val_member_loss: list[list[float]] = []
        self.val_member_score: list[list[float]] = []
        self.loss: list[float] = []
        self.val_loss: list[float] = []
        self.val_score: list[float] = []
        self.lr: list[float] = []
        self.seconds: list[float] = []
        self._best_epoch: int | None = None

    @property
    def best_epoch(self) -> int | None:
        """Index of the epoch with the least validation loss (training loss without validation).

        ``EarlyStopping`` sets it to the epoch that it found best. None before the first epoch.
        """
        if self._best_epoch is not None:
            return self._best_epoch
        values = self.val_loss or self.loss
        finite = [i for i, value in enumerate(values) if value == value]
        return min(finite, key=values.__getitem__, default=None)

    @best_epoch.setter
    def best_epoch(self, epoch: int) -> None:
        self._best_epoch = epoch

    @property
    def best_epochs(self) -> list[int | None]:
        """``best_epoch`` of each member: by its own validation loss, or training loss."""
        table = np.array(self.val_member_loss or self.member_loss, np.float64)
        if not table.size:
            return [self.best_epoch]
        finite = np.where(np.isnan(table), np.inf, table)
        best = finite.argmin(axis=0).tolist()
        return [k if finite[k, member] < np.inf else None for member, k in enumerate(best)]

    def load(self, columns: Mapping[str, Any]) -> None:
        """Replace the lists by those of a dict from ``to_dict()``."""
        names = self._columns()
        wanted = f"lists of {', '.join(names)}"
        if not set(names) <= set(validation.mapping(columns, "columns", wanted)):
            raise ArgumentError(f"columns: got {', '.join(map(str, columns))}; want {wanted}")
        loss = columns["loss"]
        rows = len(loss) if isinstance(loss, list) else 0
        for name in names:
            values = columns[name]
            whole = isinstance(values, list) and all(self._is_entry(name, one) for one in values)
            if not whole or len(values) not in ((0, rows) if name.startswith("val") else (rows,)):
                raise ArgumentError(f"columns: got {values!r:.60} for {name}; want {rows} numbers")
        for name in names:
            getattr(self, name)[:] = columns[name]

    def _columns(self) -> tuple[str, ...]:
        return _COLUMNS + _OF_MEMBERS if self._members > 1 else _COLUMNS

    def _is_entry(self, name: str, value: Any) -> bool:
        """Whether a value is what a list has for an epoch."""
        if name not in _OF_MEMBERS:
            return type(value) is float
        numbers = isinstance(value, list) and all(type(one) is float for one in value)
        return numbers and len(value) == self._members

    def columns(self) -> dict[str, list[Any]]:
        """Return copies of the lists by name; those of members only if there are several."""
        return {name: list(getattr(self, name)) for name in self._columns()}

    def to_dict(self) -> dict[str, Any]:
        """Return the lists, ``best_epoch`` and ``score_name`` as a JSON-able dict."""
        return {**self.columns(), "best_epoch": self.best_epoch, "score_name": self.score_name}

    def to_frame(self) -> Any:
        """Return a pandas DataFrame with one row for each epoch, from 1 (extra ``tabular``).

        Columns without values, such as ``val_loss`` without validation, are left out.

        Raises
        ------
        MissingPackageError
            If pandas is not installed.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
        >>> fm.fit(net, [[0.0]], [1], loss=fm.MSELoss(), epochs=3).to_frame().columns.tolist()
        ['loss', 'lr', 'seconds']
        """
        try:
            import pandas
        except ImportError as error:
            message = 'to_frame needs pandas: pip install "fastmlp[tabular]"'
            raise MissingPackageError(message, name="pandas") from error
        columns = {name: getattr(self, name) for name in _COLUMNS if getattr(self, name)}
        index = pandas.RangeIndex(1, len(self) + 1, name="epoch")
        return pandas.DataFrame(columns, index=index)

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses of the epochs; return Matplotlib's axes (extra ``plot``).

        In a notebook the picture is also shown, unless ``ax`` is given.

        Raises
        ------
        ArgumentError
            If there is no epoch.
        MissingPackageError
            If Matplotlib is not installed.

        Examples
        --------
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(1, 1), seed=0)
        >>> ax = fm.fit(net, [[0.0]], [1], loss=fm.MSELoss(), epochs=3).plot()
        >>> ax.get_xlabel()
        'epoch'
        """
        from fastmlp import plot

        drawn = plot.loss_curves(self, ax)
        if ax is None and in_notebook():
            plot.show(drawn)
        return drawn

    def _repr_html_(self) -> str:
        from fastmlp import plot

        return plot.history_html(self, repr(self))

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        parts = [f"epochs={len(self)}"]
        for name in _COLUMNS[:3]:
            values = getattr(self, name)
            if values:
                parts.append(f"{name}={values[-1]:.4g}")
        return f"History({', '.join(parts)})"


class FitState:
    """The state of a fit, which callbacks get.

    Attributes
    ----------
    epoch, epochs : int
        Index of the epoch that ended, from 0, and the largest number of epochs.
    net, trainer, history
        The network, the ``Trainer`` and the ``History`` of this fit.
    loss, lr, seconds : float
        The values of this epoch, as in the history.
    step : int
        In ``on_step_end``: number of steps of this fit so far.
    step_losses : ndarray
        In ``on_step_end``: losses of the last ``step_every`` steps, with penalties; only those of
        this epoch.
    val_loss, val_score : float or None
        None without validation.
    member_loss, val_member_loss, val_member_score : ndarray, shape (members,), or None
        Each member's part of ``loss``, ``val_loss`` and ``val_score``, for a loss with a ``fold``.
    has_validation : bool
    callbacks : list
        All callbacks of this fit.
    schedules : Schedules
        ``schedules.parts`` has the schedules by setting, that of the learning rate as ``"lr"``.
    steps : int or None
        Number of steps of an epoch; None in the first epoch of a stream that does not tell it.
    stream : StreamProgress or None
        In fits of streams: rows and bytes of this epoch so far.
    begun : object or None
        Between the steps of an epoch: what a checkpoint needs to go on with it.
    fingerprint : callable
        ``fingerprint()`` describes the fit: its data, by hashes, and its options.
    error : BaseException or None
        In ``on_fit_end``: the exception that ended the fit, if any.
    """

    def __init__(
        self, trainer: TrainerLike, history: History, epochs: int, has_validation: bool
    ) -> None:
        self.epoch = -1
        self.epochs = epochs
        self.trainer = trainer
        self.history = history
        self.has_validation = has_validation
        self.loss = self.seconds = float("nan")
        self.lr = trainer.lr
        self.val_loss: float | None = None
        self.val_score: float | None = None
        self.member_loss: Array | None = None
        self.val_member_loss: Array | None = None
        self.val_member_score: Array | None = None
        self.callbacks: list[Any] = []
        self.schedules: Any = None
        self.steps: int | None = 1
        self.step = 0
        self.stream: StreamProgress | None = None
        self.begun: Begun | None = None
        self.step_losses: Array = np.empty(0)
        self.fingerprint: Callable[[], dict[str, Any]] = dict
        self.error: BaseException | None = None
        self.stopped = False

    @property
    def net(self) -> Network:
        """The network; its parameters may be read and written between epochs."""
        return self.trainer.net

    def stop(self) -> None:
        """End the fit after this epoch; in ``on_step_end``, the epoch too."""
        self.stopped = True

    def record(
        self, loss: float, lr: float, validation: tuple[float, float] | None, seconds: float,
        *members: Array | None,
    ) -> None:  # fmt: skip
        """Add an epoch to the history.

        ``validation`` is loss and score. ``members`` are ``member_loss``, ``val_member_loss`` and
        ``val_member_score``, if there are several members.
        """
        self.epoch += 1
        self.loss, self.lr, self.seconds = loss, lr, seconds
        self.history.loss.append(loss)
        self.history.lr.append(lr)
        self.history.seconds.append(seconds)
        if validation is not None:
            self.val_loss, self.val_score = validation
            self.history.val_loss.append(validation[0])
            self.history.val_score.append(validation[1])
        for name, values in zip(_OF_MEMBERS, members, strict=False):
            setattr(self, name, values)
            if values is not None:
                getattr(self.history, name).append(values.tolist())
