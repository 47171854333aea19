"""Members of one network with rows of their own, and the best parameters of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.training.data import Data
from fastmlp.training.fingerprint import fingerprint


class Members:
    """The rows that each member of a network trains on, and those of its validation.

    A network of members is an ensemble in one network: its input, and its output, are those of all
    members one behind another. ``fit(..., members=Members(...))`` gives each member rows of its
    own.

    Parameters
    ----------
    train : list of array_like of int
        For each member, the rows of ``x`` that it trains on. An epoch has as many rows as the
        shortest list; with ``shuffle``, a longer list leaves out other rows in each epoch.
    validation : list of array_like of int, optional
        For each member, the rows of ``x`` of its validation, such as those that it does not train
        on.

    Examples
    --------
    >>> import fastmlp as fm
    >>> folds = fm.Members(train=[[0, 1, 2], [1, 2, 3]], validation=[[3], [0]])
    >>> folds.count
    2
    """

    def __init__(self, train: Any, validation: Any = None) -> None:
        self.train = _lists(train, "train")
        self.validation = None if validation is None else _lists(validation, "validation")
        self.count = len(self.train)
        if self.validation is not None and len(self.validation) != self.count:
            raise ArgumentError(
                f"validation: got {len(self.validation)} lists; want {self.count}, one for each "
                "member"
            )

    def describe(self) -> dict[str, Any]:
        """Return hashes of the rows, by which a checkpoint recognises its fit."""
        return {
            "train": [fingerprint([one]) for one in self.train],
            "validation": self.validation and [fingerprint([one]) for one in self.validation],
        }

    def check_rows(self, rows: int) -> None:
        """Refuse rows that the data does not have."""
        for name, lists in (("train", self.train), ("validation", self.validation or [])):
            for k, one in enumerate(lists):
                if one.max() >= rows:
                    raise ArgumentError(
                        f"members: got row {one.max()} in {name}[{k}]; want 0 to {rows - 1}"
                    )

    def held_out(self, data: Data) -> Data | None:
        """Return the validation rows of all members; short lists are filled up with weight 0."""
        if self.validation is None:
            return None
        if self.count == 1:
            return data.at(self.validation[0])
        longest = max(map(len, self.validation))
        chosen = np.stack([np.resize(one, longest) for one in self.validation], axis=1)
        lengths = np.array([len(one) for one in self.validation])
        mask = (np.arange(longest)[:, None] < lengths).astype(data.x[0].dtype)
        return data._replace(chosen=np.ascontiguousarray(chosen), mask=None if mask.all() else mask)


class MemberRows:
    """The rows of each member in each epoch of a fit."""

    def __init__(self, lists: list[Array], seed: int | None) -> None:
        self._lists, self._seed = lists, seed
        self.rows = min(map(len, lists))

    def order(self, epoch: int, rows: int) -> Array:
        """Return the rows of an epoch, (rows, members), or (rows,) of a single one.

        Each member has its own order if they are shuffled.
        """
        count = len(self._lists)
        columns = []
        for member, one in enumerate(self._lists):
            if self._seed is not None:
                one = one[_core.permutation(len(one), self._seed, epoch * count + member)]
            columns.append(one[:rows])
        return np.stack(columns, axis=1) if count > 1 else columns[0]


def members_of(value: Any) -> tuple[int, Members | None]:
    """Return the number of members, and their rows if they are given."""
    if isinstance(value, Members):
        return value.count, value
    if value is None:
        return 1, None
    return check.size(value, "members"), None


def _lists(value: Any, name: str) -> list[Array]:
    wanted = "a list of row numbers for each member"
    found = []
    for k, one in enumerate(check.items(value, name, wanted)):
        array = check.numeric(one, f"{name}[{k}]")
        if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu" or array.min() < 0:
            raise ArgumentError(
                f"{name}[{k}]: got {check.shown(one)}; want whole numbers from 0 on, shape (rows,)"
            )
        found.append(np.array(array, np.int64))
    if not found:
        raise ArgumentError(f"{name}: got none; want {wanted}")
    return found
