"""Callbacks of a fit: any object with ``on_epoch_end(state)`` or ``on_step_end(state)``.

``on_step_end`` is called after every ``step_every`` steps, an attribute of the callback (1 by
default; None: never). Each such call divides the epoch, which costs about 20 us.
``after_step_end(state)`` is called after the ``on_step_end`` of all callbacks. In fits of streams,
``on_block_end(state)`` is called after each block of rows; ``state.stream`` has rows and bytes.

A callback may also have ``on_fit_start(state)``; ``on_fit_ready(state)``, called after the
``on_fit_start`` of all callbacks; ``after_epoch_end(state)``, called after the ``on_epoch_end`` of
all callbacks; and ``on_fit_end(state)``, called in any case: ``state.error`` is the exception that
ended the fit, or None. Checkpoints include the callbacks that have ``state_dict()`` and
``load_state_dict(state)``.
"""

from __future__ import annotations

from os import PathLike, fspath
from os.path import exists
from typing import TYPE_CHECKING, Any

from fastmlp.base import validation
from fastmlp.base.config import Configurable
from fastmlp.base.errors import ArgumentError
from fastmlp.training import checkpointing

if TYPE_CHECKING:
    from fastmlp.training.history import FitState


class Checkpoint(Configurable):
    """Save the fit between epochs, or steps, so that a later fit can resume it.

    The file holds the network and the states of optimizer, schedule, history and other callbacks.
    It also holds the seeds and counts that determine dropout masks and the order of rows. A resumed
    fit gives bit for bit the result of an uninterrupted one. ``fm.load`` reads the network from the
    file.

    A fit resumes only its own file. It refuses a file with other data (by SHA-256), ``batch_size``,
    ``seed`` or ``shuffle``, or with another class or argument of optimizer, losses, penalties,
    schedule or callbacks with a state. Of classes that you write, only the name is compared.
    ``Trainer.lr``, which callbacks may set, is taken from the file. A stream is compared by what it
    tells: columns, number of rows, names and sizes of files, some rows of memory maps; and, within
    an epoch, by two rows near the place where it goes on.

    States of callbacks may hold None, numbers, text, float32 and float64 arrays, and lists, tuples
    and dicts of those.

    Parameters
    ----------
    path : str or path-like
        Written atomically: at any moment the old file or the new one is complete.
    every : int, default 1
        Epochs between two saves; the last epoch is always saved.
    resume : bool, default False
        Whether to continue from the file if it exists. ``epochs`` is then the total number of
        epochs of both fits. It may differ from before, unless the schedule depends on it.
    step_every : int, optional
        Steps between two saves within an epoch, for epochs that take long; by default there are
        none. A resumed fit then goes on within the epoch. It reads the rows before that place
        again only if the stream has no other way.

    Raises
    ------
    ArgumentError
        If the file belongs to another network or fit; the message lists the differences. Nothing
        has changed then.
    ArgumentTypeError
        If a callback's state holds anything else than the above.
    ModelFileError
        If the file is damaged or not a checkpoint.

    Examples
    --------
    >>> import tempfile
    >>> import fastmlp as fm
    >>> def train(epochs, path):
    ...     net = fm.Sequential(fm.Linear(1, 4), fm.Tanh(), fm.Linear(4, 1), seed=0)
    ...     fm.fit(net, [[0.0], [1.0], [2.0]], [0, 1, 4], loss=fm.MSELoss(), epochs=epochs,
    ...            batch_size=2, callbacks=[fm.Checkpoint(path, resume=True)], progress=False)
    ...     return net.params
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = train(3, f"{folder}/a.safetensors")
    ...     same = train(8, f"{folder}/a.safetensors") == train(8, f"{folder}/b.safetensors")
    >>> bool(same.all())
    True
    """

    def __init__(
        self,
        path: str | PathLike[str],
        every: int = 1,
        resume: bool = False,
        step_every: int | None = None,
    ) -> None:
        validation.path(path)
        self.path = path
        self.every = validation.size(every, "every")
        self.step_every = None if step_every is None else validation.size(step_every, "step_every")
        self.resume = validation.flag(resume, "resume")
        self._fingerprint: dict[str, Any] = {}

    def on_fit_start(self, state: FitState) -> None:
        """Refuse an optimizer that cannot be saved; compute the fingerprint of the fit."""
        if not hasattr(state.trainer.optimizer, "load_state_dict"):
            name = type(state.trainer.optimizer).__name__
            raise ArgumentError(
                f"Checkpoint: the state of {name} cannot be saved; use another optimizer"
            )
        self._fingerprint = checkpointing.fingerprint_of(state)

    def on_fit_ready(self, state: FitState) -> None:
        """Continue from the file."""
        if not self.resume or not exists(self.path):
            return
        from fastmlp.io import checkpoint

        net, saved = checkpoint.read(self.path)
        try:
            checkpointing.resume(state, self._fingerprint, net, saved)
        except ArgumentError as error:
            raise ArgumentError(
                f"path: this fit cannot resume {fspath(self.path)}: {error}"
            ) from error

    def on_epoch_end(self, state: FitState) -> None:
        """Do nothing: the file is written after all callbacks have seen the epoch."""

    def on_step_end(self, state: FitState) -> None:
        """Do nothing: the file is written after all callbacks have seen the step."""

    def after_step_end(self, state: FitState) -> None:
        """Write the file within an epoch."""
        if not state.stopped:  # then the epoch ends here, and the file is written after it
            self._write(state)

    def after_epoch_end(self, state: FitState) -> None:
        """Write the file."""
        last = state.stopped or state.epoch + 1 >= state.epochs
        if last or (state.epoch + 1) % self.every == 0:
            self._write(state)

    def _write(self, state: FitState) -> None:
        from fastmlp.io import checkpoint

        checkpoint.save(self.path, state.net, checkpointing.capture(state, self._fingerprint))
