"""The tables: files, targets and tasks; their rows as frames; the splits."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.problems import Array

Task = Literal["classification", "regression"]
TEST = 0.25  # share of the rows
# Rarer classes are put together with the most frequent one when rows are split.
FEWEST_PER_STRATUM = 4


@dataclass(frozen=True)
class Case:
    """A table of the benchmark. ``read`` returns all of its columns as a data frame."""

    name: str
    target: str
    task: Task
    read: Callable[[], Any]


@dataclass(frozen=True)
class Rows:
    """Rows of a table with a target: a frame (N rows) and ``y``, class numbers or float64 (N,)."""

    frame: Any
    y: Array


@dataclass(frozen=True)
class Split:
    """Training and test rows of a table; ``classes`` is the number of classes, 0 in regressions."""

    task: Task
    classes: int
    train: Rows
    test: Rows


def described_cases(folder: Path) -> list[Case]:
    """The tables of a folder, as its manifest.json describes them: file, target and task."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    return [
        Case(name, row["target"], row["task"], _csv_reader(folder / row["file"]))
        for name, row in manifest.items()
    ]


def usual_cases(folder: Path) -> list[Case]:
    """letter, California housing and MNIST-10k, from the files that bench/README.md names."""
    letter, california = folder / "letter-recognition.csv", folder / "california-housing.csv"
    return [
        Case("letter", "letter", "classification", _csv_reader(letter)),
        Case("california", "median_house_value", "regression", _csv_reader(california)),
        Case("mnist-10k", "label", "classification", lambda: _mnist(folder)),
    ]


def chosen_cases(cases: Iterable[Case], names: Iterable[str] | None) -> list[Case]:
    """The cases with these names, by default all; an unknown name ends the program."""
    known = {case.name: case for case in cases}
    wanted = list(known) if names is None else list(names)
    if unknown := [name for name in wanted if name not in known]:
        raise SystemExit(f"unknown tables {unknown}; want some of {', '.join(known)}")
    return [known[name] for name in wanted]


def split(case: Case, seed: int) -> Split:
    """Split the rows with a target 75/25, classes in equal shares."""
    from sklearn.model_selection import train_test_split

    frame = case.read()
    frame = frame[frame[case.target].notna()].reset_index(drop=True)
    y, classes = _target(frame.pop(case.target), case.task)
    train, test = train_test_split(
        np.arange(len(y)), test_size=TEST, random_state=seed,
        stratify=_strata(y) if classes else None,
    )  # fmt: skip
    parts = [Rows(frame.iloc[rows].reset_index(drop=True), y[rows]) for rows in (train, test)]
    return Split(case.task, classes, *parts)


def _target(column: Any, task: Task) -> tuple[Array, int]:
    if task == "regression":
        return column.to_numpy(np.float64), 0
    names, codes = np.unique(column.astype(str).to_numpy(), return_inverse=True)
    return codes.astype(np.int64), len(names)


def _strata(y: Array) -> Array:
    counts = np.bincount(y)
    return np.where(counts[y] < FEWEST_PER_STRATUM, counts.argmax(), y)


def _csv_reader(path: Path) -> Callable[[], Any]:
    def read() -> Any:
        import pandas as pd

        return pd.read_csv(path, low_memory=False)

    return read


def _mnist(folder: Path) -> Any:
    import pandas as pd

    x, y = (gzip.decompress((folder / f"mnist-t10k-{kind}-ubyte.gz").read_bytes())
            for kind in ("images-idx3", "labels-idx1"))  # fmt: skip
    # The IDX format: 16 and 8 bytes of header.
    pixels = np.frombuffer(x, np.uint8, offset=16).reshape(-1, 784)
    frame = pd.DataFrame(pixels, columns=[f"pixel_{i}" for i in range(784)])
    return frame.assign(label=np.frombuffer(y, np.uint8, offset=8))
