"""Save a trainer to a file or a pickle, and make it again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from fastmlp import losses, optim
from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, FastMLPError, OutOfMemoryError
from fastmlp.losses.base import Loss
from fastmlp.losses.penalties import Penalty
from fastmlp.optim.base import Optimizer
from fastmlp.training.checkpointing import check_trainer
from fastmlp.training.history import History
from fastmlp.training.steps import Steps

FORMAT = 1
_KEYS = {"format", "loss", "loss_weights", "optimizer", "penalties", "state", "history", "options"}


class StoredTrainer(Steps):
    """The part of ``Trainer`` that pickles, saves and loads it."""

    history: History

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the state of training, without the network's parameters."""
        raise NotImplementedError

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state from ``state_dict``."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """Return the further arguments of the constructor, by name; all can be stored as JSON."""
        return {"nan": self.nan, **({"shards": self.shards} if self.shards > 1 else {})}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trainer to one file, so that ``Trainer.load`` makes an equal one.

        The file is in the safetensors format, written atomically. It holds the network, loss,
        optimizer and penalties with their arguments, the optimizer's state, learning rate, history,
        and the seeds and counts that determine dropout and the order of rows. So ``step`` and
        ``fit`` of the loaded trainer give the bits that those of this one would give. Schedules are
        arguments of ``fit``; to continue in the middle of a fit, use ``Checkpoint``. ``fm.load``
        reads the network alone.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        ArgumentError
            If optimizer, penalties or layers are classes of your own; a pickle can hold those.
        OSError
            If the file cannot be written; an existing file is unchanged.

        Examples
        --------
        >>> import tempfile
        >>> import fastmlp as fm
        >>> net = fm.Sequential(fm.Linear(2, 1), seed=0)
        >>> trainer = fm.Trainer(net, fm.MSELoss(), fm.Adam(lr=0.1))
        >>> _ = trainer.step([[1.0, 2.0]], [3.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trainer.save(f"{folder}/trainer.safetensors")
        ...     other = fm.Trainer.load(f"{folder}/trainer.safetensors")
        >>> trainer.step([[1.0, 2.0]], [3.0]) == other.step([[1.0, 2.0]], [3.0])
        True
        """
        _save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, loss: Any = None) -> Self:
        """Read a trainer that ``save`` wrote, with its network.

        Nothing in the file is executed.

        Parameters
        ----------
        path : str or path-like
        loss : loss, or dict of str to loss, optional
            Needed if the trainer had a loss of your own, which a file cannot hold.

        Returns
        -------
        Trainer

        Raises
        ------
        ArgumentError
            If a loss of your own is needed.
        ModelFileError
            If the file is damaged, or does not hold a trainer.
        OSError
            If it is missing or unreadable.
        """
        trainer: Self = _load(cls, path, loss)
        return trainer

    def __reduce__(self) -> Any:
        arguments = self.net, self.loss, self.optimizer, self.penalties, self.loss_weights
        return _restored, (type(self), arguments, self.options(), self.state_dict(), self.history)


def _restored(
    kind: Any, arguments: tuple[Any, ...], options: dict[str, Any], state: Any, history: History
) -> Any:
    """Make a trainer from a pickle."""
    trainer = kind(*arguments, **options)
    trainer.load_state_dict(state)
    trainer.history = history
    return trainer


def _save(trainer: StoredTrainer, path: str | os.PathLike[str]) -> None:
    from fastmlp.io import checkpoint, model  # late: they take time to import

    history = trainer.history
    content = {
        "format": FORMAT,
        "loss": _described(trainer.loss),
        "loss_weights": trainer.loss_weights,
        "optimizer": _known(trainer.optimizer, Optimizer, "optimizer", optim).describe(),
        "penalties": [_known(p, Penalty, "penalty", losses).describe() for p in trainer.penalties],
        "state": trainer.state_dict(),
        "history": {"columns": history.columns(), "best_epoch": history.best_epoch},
        "options": trainer.options(),
    }
    checkpoint.save(path, trainer.net, content, model.TRAINER_KEY)


def _load(kind: Any, path: str | os.PathLike[str], loss: Any) -> Any:
    from fastmlp.io import checkpoint, model

    net, content = checkpoint.read(path, model.TRAINER_KEY)
    with _as_file_error(path):
        if not isinstance(content, dict) or content.keys() != _KEYS:
            raise ArgumentError(f"it must have exactly the keys {', '.join(sorted(_KEYS))}")
        if content["format"] != FORMAT:
            raise ArgumentError(f"its format is {content['format']!r:.40}; want {FORMAT}")
        stored = _made(content["loss"], Loss, losses)
        optimizer = _made(content["optimizer"], Optimizer, optim)
        penalties = [_made(one, Penalty, losses) for one in _listed(content["penalties"])]
        weights, options = content["loss_weights"], dict(content["options"])
    if loss is None:
        if _has_own(stored):
            raise ArgumentError(
                f"loss: got None for {os.fspath(path)}, whose trainer had {_has_own(stored)}, a "
                "loss of your own; want it as loss="
            )
        with _as_file_error(path):
            trainer = kind(net, stored, optimizer, penalties, weights, **options)
    else:
        trainer = kind(net, loss, optimizer, penalties, weights, **options)
    with _as_file_error(path):
        check_trainer(trainer, content["state"])
        trainer.load_state_dict(content["state"])
        _load_history(trainer.history, content["history"])
    return trainer


@contextmanager
def _as_file_error(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OutOfMemoryError:
        raise  # a lack of memory is no fault of the file
    except (
        FastMLPError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError,
    ) as error:  # fmt: skip
        from fastmlp.io import ModelFileError

        raise ModelFileError(
            f"{os.fspath(path)} is not a trainer of fastmlp: {error!s:.300}"
        ) from error


class _Own:
    """A loss that only its user has, by the name of its class."""

    def __init__(self, name: Any) -> None:
        self.name = name


def _described(loss: Any) -> Any:
    """Describe one loss, or several by name or in order."""
    if isinstance(loss, Mapping):
        return {"by name": {str(name): _described(one) for name, one in loss.items()}}
    if isinstance(loss, (list, tuple)):
        return {"in order": [_described(one) for one in loss]}
    known = _class(type(loss).__name__, Loss, losses) is type(loss)
    if not isinstance(loss, Loss) or not known:
        return {"own": getattr(loss, "__name__", type(loss).__name__)}
    return loss.describe()


def _made(described: Any, base: type, package: Any) -> Any:
    """Make a loss, an optimizer or a penalty from its description: only classes of fastmlp."""
    found = dict(validation.mapping(described, "description", "a dict"))
    if found.keys() == {"own"}:
        return _Own(found["own"])
    if found.keys() == {"by name"}:
        named = validation.mapping(found["by name"], "loss", "a dict")
        return {name: _made(one, base, package) for name, one in named.items()}
    if found.keys() == {"in order"}:
        return [_made(one, base, package) for one in _listed(found["in order"])]
    kind = _class(found.pop("type", None), base, package)
    if kind is None:
        raise ArgumentError(f"it has {described!r:.80}; want a {base.__name__} of fastmlp")
    return kind(**found)


def _has_own(loss: Any) -> str:
    """Return the name of a loss of the user among these, or ""."""
    if isinstance(loss, _Own):
        return f"{loss.name!s:.60}"
    parts = loss.values() if isinstance(loss, Mapping) else loss if isinstance(loss, list) else ()
    return next(filter(None, map(_has_own, parts)), "")


def _known(part: Any, base: type, name: str, package: Any) -> Any:
    """Refuse a part whose class is the user's."""
    if _class(type(part).__name__, base, package) is not type(part):
        raise ArgumentError(
            f"{name}: got {validation.shown(part)}, of a class of your own, which a file cannot "
            "hold; want one of fastmlp, or pickle the trainer"
        )
    return part


def _class(name: Any, base: type, package: Any) -> type | None:
    if not isinstance(name, str) or name not in package.__all__:
        return None
    found = getattr(package, name)
    return found if isinstance(found, type) and issubclass(found, base) else None


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ArgumentError(f"it has {value!r:.60}; want a list")
    return value


def _load_history(history: History, saved: Any) -> None:
    if not isinstance(saved, dict) or saved.keys() != {"columns", "best_epoch"}:
        raise ArgumentError("its history must have exactly columns and best_epoch")
    history.load(saved["columns"])
    best = saved["best_epoch"]
    if best is not None:
        history.best_epoch = validation.integer(best, "best_epoch", 0, len(history) - 1)
