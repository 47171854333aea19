"""Columns of text: hashed words and parts of words."""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from fastmlp.base.validation import Array
from fastmlp.tabular.checking import check_keys, check_text

_WIDTH = 64
_PART = 3  # characters of a part of a word
_WORD = re.compile(r"\w+")
# Words whose places are kept, because most texts share them.
_KEPT_WORDS = 100_000


@dataclass(frozen=True)
class TextColumn:
    """64 inputs from a column of text, by feature hashing (Weinberger et al., ICML 2009).

    Each word, in lower case, and each part of three characters of it adds 1 or -1 to one of the
    inputs, which its CRC-32 chooses. The sums are divided by the root of their number, and scaled
    so that each input has a deviation of about 1. A missing text is 0 throughout.
    """

    name: str
    width = _WIDTH

    def transform(self, texts: Array) -> Array:
        """Map (N,) texts, None where missing, to (N, 64) inputs."""
        found = np.zeros((len(texts), _WIDTH))
        for row, text in enumerate(texts):
            count = 0
            for word in _WORD.findall(text.lower()) if text else ():
                for place, sign in _places(word):
                    found[row, place] += sign
                    count += 1
            if count:
                found[row] *= math.sqrt(_WIDTH / count)
        return found

    def describe(self) -> dict[str, Any]:
        """Return what `from_description` takes."""
        return {"name": self.name}

    @classmethod
    def from_description(cls, description: Any) -> TextColumn:
        """Build a column from what `describe` returned; it may come from a hostile file."""
        check_keys(description, {"name"}, "a column of text")
        return cls(check_text(description["name"], "name"))

    def __str__(self) -> str:
        return f"words and parts of them, hashed to {_WIDTH} inputs"


@lru_cache(_KEPT_WORDS)
def _places(word: str) -> tuple[tuple[int, float], ...]:
    """Return the inputs that a word and its parts are added to, each with its sign."""
    framed = f"<{word}>"
    parts = [framed[i : i + _PART] for i in range(len(framed) - _PART + 1)]
    codes = [zlib.crc32(part.encode()) for part in (word, *parts)]
    return tuple((code % _WIDTH, 1.0 if code & 1 << 20 else -1.0) for code in codes)
