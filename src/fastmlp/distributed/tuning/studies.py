"""Optuna's studies: where they are stored, what samples and prunes, and whose trials are lost."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastmlp.base.errors import ArgumentError, ArgumentTypeError, MissingPackageError
from fastmlp.base.validation import shown
from fastmlp.distributed.tuning.names import PRUNERS, SAMPLERS

DATABASES = (".db", ".sqlite", ".sqlite3")
JOURNALS = (".journal", ".log")
FACTS = "fastmlp"  # the attribute of a study that tells what it is of
WORKER = "worker"  # the attribute of a trial that tells which process runs it
# Trials of a kind that end before others are compared with their median.
_COMPARED = 4
# Trials before the sampler learns from them.
_STARTUP = 12


def optuna() -> Any:
    """Import Optuna.

    Raises
    ------
    MissingPackageError
        It is not installed; the message names the extra.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        message = 'tuning needs optuna: pip install "fastmlp[tune]"'
        raise MissingPackageError(message, name="optuna") from None
    return optuna


@contextmanager
def quiet() -> Iterator[None]:
    """Let Optuna not log each trial."""
    logging = optuna().logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def storage_of(storage: Any) -> Any:
    """Return an Optuna storage, or None for one in memory.

    Parameters
    ----------
    storage : None, str, path-like or a storage of Optuna
        The path of a database (.db, .sqlite) or of a journal (.journal, .log), or the URL of a
        database as SQLAlchemy takes it.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        It is of no known kind, or cannot be opened.
    """
    storages = optuna().storages
    wanted = "a path that ends in .db, .sqlite, .journal or .log, or a URL such as sqlite:///a.db"
    if storage is None or isinstance(storage, storages.BaseStorage):
        return storage
    if not isinstance(storage, (str, os.PathLike)):
        raise ArgumentTypeError(f"storage: got {shown(storage)}; want {wanted}")
    text = os.fspath(storage)
    ending = Path(text).suffix.lower()
    if "://" not in text and ending not in DATABASES + JOURNALS:
        raise ArgumentError(f"storage: got {text!r}; want {wanted}")
    if "://" not in text and not Path(text).absolute().parent.is_dir():
        raise ArgumentError(f"storage: got {text!r}, whose folder does not exist")
    if "://" not in text and ending in JOURNALS:
        return _journal(text)
    url = text if "://" in text else f"sqlite:///{text}"
    try:
        return storages.RDBStorage(url)
    except Exception as error:  # of SQLAlchemy, a driver or the database
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArgumentError(f"storage: got {text!r}, which cannot be opened: {reason}") from error


def _journal(path: str) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    try:
        # A lock of this kind works where links do not, such as on Windows.
        return JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    except Exception as error:
        raise ArgumentError(f"storage: got {path!r}, which is no journal of Optuna") from error


def sampler_of(sampler: Any, seed: int) -> Any:
    """Return a sampler of Optuna by its name in `SAMPLERS`, or the given one."""
    samplers = optuna().samplers
    if isinstance(sampler, samplers.BaseSampler):
        return sampler
    if sampler == "random":
        return samplers.RandomSampler(seed=seed)
    if sampler != "tpe":
        _refuse("sampler", sampler, SAMPLERS, "a sampler of Optuna")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of its arguments are called experimental
        return samplers.TPESampler(
            seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=_STARTUP
        )


def pruner_of(pruner: Any) -> Any:
    """Return a pruner of Optuna by its name in `PRUNERS`, or the given one."""
    pruners = optuna().pruners
    if isinstance(pruner, pruners.BasePruner):
        return pruner
    known = {
        "median": lambda: pruners.MedianPruner(n_startup_trials=0, n_min_trials=_COMPARED),
        "halving": pruners.SuccessiveHalvingPruner,
        "hyperband": pruners.HyperbandPruner,
        "none": pruners.NopPruner,
    }
    if not isinstance(pruner, str) or pruner not in known:
        _refuse("pruner", pruner, PRUNERS, "a pruner of Optuna")
    return known[pruner]()


def _refuse(name: str, got: Any, known: Sequence[str], other: str) -> None:
    error = ArgumentError if isinstance(got, str) else ArgumentTypeError
    raise error(f"{name}: got {shown(got)}; want one of {', '.join(known)}, or {other}")


def open_study(storage: Any, name: str, pruner: Any, facts: Mapping[str, Any]) -> Any:
    """Create a study, or open one of the same table, metric and models.

    Raises
    ------
    ArgumentError
        The study in the storage is of something else.
    """
    study = optuna().create_study(
        storage=storage, study_name=name, direction="minimize", pruner=pruner, load_if_exists=True
    )
    known = study.user_attrs.get(FACTS)
    if known is None:
        if study.get_trials(deepcopy=False):
            raise ArgumentError(f"study: got {name!r}, whose trials are not of fastmlp")
        study.set_user_attr(FACTS, dict(facts))
    else:
        for key, value in facts.items():
            if known.get(key) != value:
                raise ArgumentError(
                    f"study: got {name!r}, which was begun with {key} = {shown(known.get(key))}; "
                    f"want the same, not {shown(value)}, or another name"
                )
    return study


def this_worker() -> str:
    """Return what names this process among those of all machines."""
    return f"{socket.gethostname()}/{os.getpid()}"


def free_lost_trials(study: Any) -> int:
    """Let trials of processes of this machine that have ended be tried again; return how many."""
    states = optuna().trial.TrialState
    count = 0
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        if _is_lost(trial.user_attrs.get(WORKER, "")):
            # They keep their numbers and their parameters, so that all goes on as it would have.
            study._storage.set_trial_state_values(trial._trial_id, state=states.WAITING)
            count += 1
    return count


def _is_lost(worker: str) -> bool:
    host, _, process = worker.rpartition("/")
    if host != socket.gethostname() or not process.isdecimal() or os.name == "nt":
        return False
    if int(process) == os.getpid():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def finished_trials(study: Any) -> list[Any]:
    """Return the trials that are complete or pruned, in their order."""
    states = optuna().trial.TrialState
    found = study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))
    return list(found)


def complete_trials(study: Any) -> list[Any]:
    """Return the trials that are complete, the best first."""
    states = optuna().trial.TrialState
    found = study.get_trials(deepcopy=False, states=(states.COMPLETE,))
    return sorted(found, key=lambda trial: (trial.value, trial.number))
