"""Two parts of a source: rows to train on, and rows set aside for validation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from fastmlp import _core
from fastmlp.base.errors import ArgumentError
from fastmlp.base.validation import Array
from fastmlp.data.source import Block, Rows, Source, seed_of

# Rows that are divided together: so up to this number the rows set aside are those of arrays.
_UNIT = 1 << 20


class Subset(Source):
    """Some rows of a source whose blocks know where they start; ``mask`` is packed bits."""

    def __init__(self, source: Source, mask: Array, count: int, kept: bool) -> None:
        self._source, self._mask, self._kept = source, mask, kept
        self.rows = count
        self.window, self.keeps_order = source.window, source.keeps_order
        self.read_ahead, self.batch_rows = source.read_ahead, source.batch_rows
        self.bytes = source.bytes

    def open(self, epoch: int, seed: int | None) -> Iterator[Block]:
        return map(self._block, self._source.open(epoch, seed))

    def _block(self, block: Block) -> Block:
        assert block.start is not None
        assert block.rows is not None
        places = self._places(block.start, block.start + block.rows)
        return Block(partial(self._read, block, places), len(places))

    def _places(self, begin: int, end: int) -> Array:
        """Return the positions in a block, from 0, of the rows of this part."""
        first = begin // 8
        bits = np.unpackbits(self._mask[first : -(-end // 8)])[begin - 8 * first :]
        return np.flatnonzero(bits[: end - begin] == self._kept)

    def _read(self, block: Block, places: Array, dtype: np.dtype[Any]) -> Iterator[Rows]:
        if not len(places):
            return
        done = 0
        for x, y, weights in block.read(dtype):
            count = len(y if not isinstance(y, Mapping) else next(iter(y.values())))
            low, high = np.searchsorted(places, (done, done + count))
            chosen = places[low:high] - done
            done += count
            yield _at(x, chosen), _at(y, chosen), _at(weights, chosen)

    def describe(self) -> dict[str, Any]:
        """Describe the whole source, and which rows of it are in this part."""
        import hashlib  # late, because importing it takes time

        digest = hashlib.sha256(self._mask.tobytes()).hexdigest()
        return {**self._source.describe(), "part": f"{self._kept} of SHA-256 {digest}"}


def split(source: Source, fraction: float, seed: int, stream: int) -> tuple[Subset, Subset]:
    """Divide a source: return its rows to train on, and those set aside.

    Of each million rows, those with the smallest random numbers are set aside.

    Raises
    ------
    ArgumentError
        If the blocks do not tell where they start, or no rows remain to train on.
    """
    rows = source.rows
    if rows is None or not source.has_places:
        raise ArgumentError(
            f"validation: got the fraction {fraction} of a stream whose rows cannot be told apart; "
            "want (x, y) or another source"
        )
    chosen = np.zeros(rows, bool)
    for number, begin in enumerate(range(0, rows, _UNIT)):
        count = min(_UNIT, rows - begin)
        draws = _core.random_uniform(count, seed_of(seed, number), stream)
        order = np.argsort(draws, kind="stable")
        chosen[begin + order[: math.ceil(fraction * count)]] = True
    held = int(np.count_nonzero(chosen))
    if held >= rows:
        raise ArgumentError(
            f"validation: got fraction {fraction} of {rows} rows, which leaves none to train; "
            "want less"
        )
    mask = np.packbits(chosen)
    return Subset(source, mask, rows - held, False), Subset(source, mask, held, True)


def _at(value: Any, places: Array) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {name: one[places] for name, one in value.items()}
    return value[places]
