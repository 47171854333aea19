"""Check the callbacks of a fit and call their methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentTypeError
from fastmlp.base.validation import Array
from fastmlp.training.epoch_run import step_hooks
from fastmlp.training.history import FitState
from fastmlp.training.progress import ProgressBar, shows_progress


class Hooks:
    """The callbacks of one fit, and the calls of their methods."""

    def __init__(self, callbacks: list[Any], state: FitState) -> None:
        self._callbacks, self._state = callbacks, state
        self.of_steps = step_hooks(callbacks)
        state.callbacks = callbacks

    def dispatch(self, hook: str) -> None:
        """Call a method of every callback; ``on_fit_end`` of all, even if one raises."""
        errors = []
        for callback in self._callbacks:
            method = getattr(callback, hook, None)
            if method is None:
                continue
            try:
                method(self._state)
            except BaseException as error:
                if hook != "on_fit_end":
                    raise
                errors.append(error)
        if errors:
            raise errors[0]

    def dispatch_steps(self, losses: Array) -> None:
        """Call ``on_step_end`` of the callbacks whose number of steps is complete.

        Then call ``after_step_end`` of those that have it. ``losses`` (steps, 2) are loss and
        penalties of the last steps of this epoch.
        """
        due = [(one, every) for one, every in self.of_steps if self._state.step % every == 0]
        for callback, every in due:
            self._state.step_losses = losses[-every:].sum(axis=1)
            callback.on_step_end(self._state)
        for callback, _ in due:
            if hasattr(callback, "after_step_end"):
                callback.after_step_end(self._state)

    @contextmanager
    def lifecycle(self) -> Iterator[None]:
        """Call ``on_fit_start``, run the block, and in any case call ``on_fit_end``."""
        try:
            self.dispatch("on_fit_start")
            yield
        except BaseException as error:
            self._state.error = error
            error.history = self._state.history  # type: ignore[attr-defined]
            raise
        finally:
            self.dispatch("on_fit_end")


def checked_callbacks(callbacks: Any, progress: bool | None) -> list[Any]:
    """Return the callbacks as a list; add a progress bar if one is wanted."""
    found = [] if callbacks is None else callbacks
    hooks = check.items(found, "callbacks", "a list of callbacks")
    for callback in hooks:
        methods = (getattr(callback, name, None) for name in ("on_epoch_end", "on_step_end"))
        if not any(map(callable, methods)):
            raise ArgumentTypeError(
                f"callbacks: got {check.shown(callback)}; want objects with on_epoch_end(state) "
                "or on_step_end(state)"
            )
    if shows_progress() if progress is None else check.flag(progress, "progress"):
        hooks.append(ProgressBar())
    return hooks
