"""Encoded rows in scratch files, from which networks are trained."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.encoding import Encoder
from fastmlp.tabular.models import Model
from fastmlp.tabular.models.head import Head
from fastmlp.tabular.reading import TableError
from fastmlp.tabular.streaming.pieces import TableFiles
from fastmlp.tabular.streaming.survey import TRAIN, Progress, Roles, Survey

SOME_ROWS = 100_000  # by which first values and bins are chosen
SHARE_OF_SOME = 32  # of the memory, at most one part in so many
SPARE = 1.05  # of the space that is needed must be free


class Spool:
    """The training rows as each model takes them.

    Parameters
    ----------
    models : sequence of Model
    encoders, heads : sequence of Encoder, sequence of Head
        Of each model.
    memory : int
        Bytes, of which `some` takes a small part.
    factors : ndarray, optional
        Weight of the rows of each class.

    Use it in a ``with`` statement: at its end the files are removed.
    """

    def __init__(
        self, rows: int, models: Sequence[Model], encoders: Sequence[Encoder],
        heads: Sequence[Head], memory: int, factors: Array | None = None,
    ) -> None:  # fmt: skip
        self._rows, self._heads, self._factors = rows, heads, factors
        self._dtypes = [np.dtype(model.dtype) for model in models]
        self._encoders: dict[str, tuple[Encoder, np.dtype[Any]]] = {}
        self._names: list[str] = []
        for encoder, dtype in zip(encoders, self._dtypes, strict=True):
            # Models with equal encoders share a file.
            key = f"{dtype} {encoder.describe()}"
            names = {f"{one[1]} {one[0].describe()}": name for name, one in self._encoders.items()}
            name = names.get(key, f"x{len(self._encoders)}")
            self._encoders[name] = encoder, dtype
            self._names.append(name)
        widest = max(encoder.width for encoder, _ in self._encoders.values())
        count = min(rows, SOME_ROWS, max(1000, memory // SHARE_OF_SOME // (8 * widest)))
        # Kept while they are written: reading them later would map the whole file.
        self._places = np.linspace(0, rows - 1, count).astype(np.int64)
        self._some: dict[str, list[Array]] = {name: [] for name in self._encoders}
        self._done = 0
        self._folder = tempfile.TemporaryDirectory(prefix="fastmlp-", ignore_cleanup_errors=True)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *error: Any) -> None:
        self._folder.cleanup()

    @property
    def bytes(self) -> int:
        """Size of the files."""
        widths = [encoder.width * dtype.itemsize for encoder, dtype in self._encoders.values()]
        return self._rows * (sum(widths) + 8 * len(self._heads) + 8 * (self._factors is not None))

    def fill(self, files: TableFiles, found: Survey, roles: Roles, progress: Progress) -> None:
        """Read all rows again, encode them and write them.

        Raises
        ------
        TableError
            A file has changed or is damaged, or there is no space.
        """
        self._check_space()
        with ExitStack() as stack:
            out = {
                name: stack.enter_context(open(self._path(name), "wb")) for name in self._paths()
            }
            for number, piece in enumerate(files.pieces([*found.reader.names, found.target.name])):
                self._write(out, piece.frame, roles.of(number, len(piece.frame)), found)
                progress("encoding", piece.done, files.bytes)

    def _write(self, files: Mapping[str, Any], frame: Any, role: Array, found: Survey) -> None:
        y = found.target.read(frame)
        present = y >= 0 if found.target.is_class else ~np.isnan(y)
        chosen = np.flatnonzero(present & (role == TRAIN))
        read, y = found.read(frame).rows(chosen), y[chosen]
        low, high = np.searchsorted(self._places, (self._done, self._done + len(y)))
        some = self._places[low:high] - self._done
        self._done += len(y)
        for name, (encoder, dtype) in self._encoders.items():
            x = encoder.transform(read, dtype)
            files[name].write(x)
            self._some[name].append(x[some])
        for number, (head, dtype) in enumerate(zip(self._heads, self._dtypes, strict=True)):
            files[f"y{number}"].write(np.ascontiguousarray(head.target(y, dtype)))
        if self._factors is not None:
            files["weights"].write(self._factors[y])

    def encoder(self, model: int) -> Encoder:
        """Return the encoder of a model."""
        return self._encoders[self._names[model]][0]

    def head(self, model: int) -> Head:
        """Return the head of a model."""
        return self._heads[model]

    def x(self, model: int) -> Array:
        """Return the memory-mapped inputs of a model."""
        name = self._names[model]
        encoder, dtype = self._encoders[name]
        return self._mapped(name, dtype, (self._rows, encoder.width))

    def target(self, model: int) -> Array:
        """Return the memory-mapped target of a model."""
        if self._heads[model].classes:
            return self._mapped(f"y{model}", np.dtype(np.int64), (self._rows,))
        return self._mapped(f"y{model}", self._dtypes[model], (self._rows, 1))

    @property
    def weights(self) -> Array | None:
        """The memory-mapped weights of the rows, if they differ."""
        if self._factors is None:
            return None
        return self._mapped("weights", np.dtype(np.float64), (self._rows,))

    def some(self, model: int) -> Array:
        """Return some rows of the inputs of a model, evenly spread."""
        return np.concatenate(self._some[self._names[model]])

    def _paths(self) -> list[str]:
        weights = [] if self._factors is None else ["weights"]
        return [*self._encoders, *(f"y{number}" for number in range(len(self._heads))), *weights]

    def _path(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def _mapped(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
        return np.memmap(self._path(name), dtype, mode="r", shape=shape)

    def _check_space(self) -> None:
        free = shutil.disk_usage(self._folder.name).free
        if free < SPARE * self.bytes:
            raise TableError(
                f"{self._folder.name} has {free / 1e9:.1f} GB free, but encoded rows take "
                f"{self.bytes / 1e9:.1f} GB: name another folder by the environment variable TMPDIR"
            )
