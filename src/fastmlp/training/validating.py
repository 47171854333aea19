"""The argument ``validation`` of a fit: data of its own, or a part of the rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import _core
from fastmlp import data as sources
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError, OutOfMemoryError
from fastmlp.base.validation import Array
from fastmlp.data.source import Source
from fastmlp.optim.lbfgs import LBFGS
from fastmlp.training.data import Data
from fastmlp.training.members import Members
from fastmlp.training.stream import HeldOut

if TYPE_CHECKING:
    from fastmlp.training.protocol import TrainerLike

# The random stream of validation splits.
_SPLIT_STREAM = 0xFFFFFFFE


def rows_of_fit(
    trainer: TrainerLike, x: Any, y: Any, sample_weight: Any, finite: bool, count: int,
    members: Members | None,
) -> Data | Source:  # fmt: skip
    """Return the rows of a fit: checked arrays, or a source for everything else."""
    is_stream = y is None or isinstance(x, Source) or sources.is_loader(x)
    source = sources.as_source(x) if is_stream else None
    # L-BFGS reads all rows at once, and members with rows of their own any of them.
    any_rows = members is not None or isinstance(trainer.optimizer, LBFGS)
    if source is None and not any_rows and sources.is_mapped(x, y, sample_weight):
        return sources.arrays(x, y, sample_weight)
    if source is None:
        if y is None:
            raise ArgumentTypeError(
                "y: got None; want targets, or as x a source of blocks (x, y) such as an iterable"
            )
        return trainer.checked_data(x, y, sample_weight, finite, count)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ArgumentError(
                f"{name}: got {type(value).__name__} beside a stream; want None, as its blocks are "
                "(x, y) or (x, y, sample_weight)"
            )
    if members is not None:
        raise ArgumentError("members: got Members, which name rows, for a stream; want a number")
    return source


def chosen_rows(
    trainer: TrainerLike, data: Data | Source, rows: Any, validation_rows: Any,
    members: Members | None,
) -> tuple[Data, Data | None]:  # fmt: skip
    """Return the chosen rows of arrays to train on and for validation, without a copy."""
    if not isinstance(data, Data):
        raise ArgumentError("rows: got rows of a stream; want arrays in memory, or no rows")
    if members is not None:
        raise ArgumentError("members: got Members beside rows; want one of them")
    train = data if rows is None else data.at(_row_numbers(rows, "rows", data.rows))
    # L-BFGS reads all rows at once, so they are copied once.
    train = train.taken() if isinstance(trainer.optimizer, LBFGS) else train
    if validation_rows is None:
        return train, None
    return train, data.at(_row_numbers(validation_rows, "validation_rows", data.rows))


def _row_numbers(rows: Any, name: str, count: int) -> Array:
    given = np.asarray(rows)
    if given.dtype == bool:
        if given.shape != (count,):
            raise ArgumentError(f"{name}: got a mask {given.shape}; want one of {count} rows")
        given = np.flatnonzero(given)
    if given.ndim != 1 or not given.size:
        raise ArgumentError(f"{name}: got shape {given.shape}; want at least one row number")
    return check.labels(given, name, given.size, count, "row")


def held_out(
    trainer: TrainerLike, rows: Data | Source, validation: Any, seed: int, finite: bool,
    count: int, members: Members | None,
) -> tuple[Data | Source, Data | HeldOut | None]:  # fmt: skip
    """Return the rows to train on, and those for validation."""
    if isinstance(validation, Data):
        return rows, validation
    if validation is None:
        given = None if members is None or not isinstance(rows, Data) else members.held_out(rows)
        return rows, given
    if members is not None and (members.validation or isinstance(validation, float)):
        raise ArgumentError(
            f"validation: got {check.shown(validation)}; want None or (x, y), as members= "
            "gives the rows"
        )
    if isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
        x, y, *weights = validation
        weight = weights[0] if weights else None
        try:
            found = rows_of_fit(trainer, x, y, weight, finite, count, None)
        except (ArgumentError, ArgumentTypeError, OutOfMemoryError) as error:
            raise type(error)(f"validation {error}") from None
        return rows, found if isinstance(found, Data) else HeldOut(trainer, found, finite, count)
    several = isinstance(validation, np.ndarray) and validation.ndim > 0
    if several or isinstance(validation, (tuple, list)):
        raise ArgumentError(
            f"validation: got a {type(validation).__name__} of {len(validation)}; "
            "want (x, y), (x, y, sample_weight), a source or a fraction"
        )
    source = None if isinstance(validation, (int, float)) else sources.as_source(validation)
    if source is not None:
        return rows, HeldOut(trainer, source, finite, count)
    fraction = check.real(validation, "validation", 0.0, 1.0, True, True)
    if isinstance(rows, Data):
        return _split_off(trainer, rows, fraction, seed)
    train, held = sources.split(rows, fraction, seed, _SPLIT_STREAM)
    return train, HeldOut(trainer, held, finite, count)


def _split_off(trainer: TrainerLike, data: Data, fraction: float, seed: int) -> tuple[Data, Data]:
    rows = data.rows
    held = math.ceil(fraction * rows)
    if held >= rows:
        raise ArgumentError(
            f"validation: got fraction {fraction} of {rows} rows, which leaves none to train; "
            "want less"
        )
    order = np.argsort(_core.random_uniform(rows, seed, _SPLIT_STREAM), kind="stable")
    train, validation = data.at(np.sort(order[held:])), data.at(np.sort(order[:held]))
    # L-BFGS reads all rows at once, so they are copied once.
    return train.taken() if isinstance(trainer.optimizer, LBFGS) else train, validation
