"""Arrays that stay where they are: memory-mapped files, and objects that give slices of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from fastmlp.base import validation as check
from fastmlp.base.errors import ArgumentError, ArgumentTypeError
from fastmlp.data.files import mapped, sample_rows
from fastmlp.data.source import Block, Rows, Source, block_order, checked_window

# A block is what is read in one place: large enough for a disk, small enough for a cache.
_BLOCK_BYTES = 1 << 20
_SAMPLED_ROWS = 64


class ArraySource(Source):
    """Rows of arrays; see `arrays`."""

    def __init__(
        self, x: Any, y: Any, sample_weight: Any = None, *, window: int | None = None
    ) -> None:
        named = _named(x, y, sample_weight)
        self.rows = _common_rows(named)
        self.has_places = True
        self.window = checked_window(window)
        self._maps = mapped(list(named.values()))
        self._x, self._y, self._weights = map(_plain, (x, y, sample_weight))
        self._arrays = [_plain(one) for one in named.values()]
        sizes = [one.dtype.itemsize * int(np.prod(one.shape[1:])) for one in self._arrays]
        self.bytes = self.rows * sum(sizes)
        self._block = max(1, _BLOCK_BYTES // max(sum(sizes), 1))

    def open(self, epoch: int, seed: int | None) -> Iterator[Block]:
        self._check_files()
        return self._blocks(epoch, seed)

    def _blocks(self, epoch: int, seed: int | None) -> Iterator[Block]:
        rows = self.rows or 0
        for number in block_order(-(-rows // self._block), epoch, seed):
            begin = number * self._block
            end = min(begin + self._block, rows)
            yield Block(partial(self._read, begin, end), end - begin, begin)

    def _read(self, begin: int, end: int, dtype: np.dtype[Any]) -> Iterator[Rows]:
        self._check_files()

        def cut(value: Any) -> Any:
            return value[begin:end]

        yield (
            _mapped_over(self._x, cut),
            _mapped_over(self._y, cut),
            _mapped_over(self._weights, cut),
        )
        for one in self._maps:
            one.give_back(begin, end)

    def _check_files(self) -> None:
        for one in self._maps:
            one.check()

    def describe(self) -> dict[str, Any]:
        """Describe the arrays, and hash some of their rows."""
        import hashlib  # late, because importing it takes time

        digest = hashlib.sha256()
        for one in self._arrays:
            digest.update(f"{one.dtype} {one.shape}".encode())
            if not one.dtype.hasobject:
                digest.update(sample_rows(one, _SAMPLED_ROWS).tobytes())
        return {**super().describe(), "sampled": f"SHA-256 {digest.hexdigest()}"}


def arrays(x: Any, y: Any, sample_weight: Any = None, *, window: int | None = None) -> ArraySource:
    """Read rows from arrays that are not to be held in memory.

    ``fm.fit(net, x, y)`` does so by itself if one of them is a ``np.memmap`` (as ``np.load(path,
    mmap_mode="r")`` returns). This function is for another ``window``, and for objects of other
    libraries with ``shape``, ``dtype`` and slices of rows, such as datasets of h5py and arrays of
    Zarr.

    Parameters
    ----------
    x : array, shape (N, in_features), or dict of them by name
    y : array, or dict of them
    sample_weight : array, shape (N,), optional
    window : int, optional
        Rows that are shuffled together. With N or more, the order is that of arrays in memory.

    Returns
    -------
    ArraySource
        For ``fm.fit(net, source, loss=...)``, and for ``validation=source``.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If these are no arrays with the same number of rows; during a fit, if a file has changed or
        become shorter.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> import fastmlp as fm
    >>> x = np.random.default_rng(0).standard_normal((1000, 3), np.float32)
    >>> net = fm.Sequential(fm.Linear(3, 1), seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "x.npy")
    ...     np.save(path, x)
    ...     source = fm.data.arrays(np.load(path, mmap_mode="r"), x.sum(axis=1), window=256)
    ...     history = fm.fit(net, source, loss=fm.MSELoss(), epochs=2)
    >>> source.rows, len(history)
    (1000, 2)
    """
    return ArraySource(x, y, sample_weight, window=window)


def _named(x: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
    """Return all arrays by their names in messages."""
    given = {"x": x, "y": y, "sample_weight": sample_weight}
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            found.update((f"{name}[{key!r}]", one) for key, one in value.items())
        elif value is not None or name != "sample_weight":
            found[name] = value
    return found


def _common_rows(named: Mapping[str, Any]) -> int:
    rows = None
    for name, one in named.items():
        has_parts = hasattr(one, "dtype") and hasattr(one, "__getitem__")
        if not has_parts or not isinstance(getattr(one, "shape", None), tuple):
            raise ArgumentTypeError(
                f"{name}: got {check.shown(one)}; want an array with shape, dtype and slices"
            )
        if len(one.shape) == 0 or (name.startswith("x") and len(one.shape) != 2):
            raise ArgumentError(f"{name}: got shape {one.shape}; want two dimensions (N, features)")
        if rows not in (None, one.shape[0]):
            raise ArgumentError(f"{name}: got {one.shape[0]} rows; want {rows}, as many as x")
        rows = one.shape[0]
    if not rows:
        raise ArgumentError("x: got 0 rows; want at least one")
    return int(rows)


def _plain(value: Any) -> Any:
    """Return memory maps as plain arrays, whose slices cost less."""
    return _mapped_over(value, lambda one: np.asarray(one) if isinstance(one, np.ndarray) else one)


def _mapped_over(value: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to an array, or to each one of a dict; None stays None."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {key: function(one) for key, one in value.items()}
    return function(value)
