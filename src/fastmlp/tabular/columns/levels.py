"""Levels, free text and identifiers: columns of text that hold no numbers and no dates."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.base.validation import Array
from fastmlp.tabular.columns.cells import Cells, distinct
from fastmlp.tabular.columns.table import MISSING, UNSEEN

# Of the rows: text with more different values than this is an identifier or free text.
DISTINCT_SHARE = 0.9
TEXT_SHARE = 0.5  # the same for free text of many words
FEWEST_FOR_IDENTIFIER = 20  # rows; in fewer, names of classes may all differ by chance
WORDS, MANY_WORDS = 3.0, 5.0  # a value on average, for texts that (nearly) all differ or repeat
# Texts that mean a missing level: those that pandas reads so, and UCI's "?".
NO_LEVEL = frozenset(
    ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "-NaN", "NULL", "null", "None", "<NA>",
     "#N/A", "#NA", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
)  # fmt: skip
TRUTH = {"true": True, "1": True, "1.0": True, "yes": True, "y": True, "t": True,
         "false": False, "0": False, "0.0": False, "no": False, "n": False, "f": False}  # fmt: skip
THINGS = (
    "customer|client|user|order|product|item|person|patient|passenger|employee|account|"
    "transaction|invoice|record|row|case|sample|subject|student|member|policy|loan|ticket|session|"
    "device|store|shop|vendor|supplier|company|contract|event|message|post|listing|property|house|"
    "car|vehicle|trip|ride|flight|movie|song|track|book|image|file|job|task|project|request|visit|"
    "claim|application|applicant|respondent|participant|household|object|entity|group|team|player|"
    "match|game|serial|line|obs|observation|reference|ref|tracking|registration|card|phone|receipt"
)
# Names of whole-number columns that number the rows: pandas' index, id, PassengerId, customerid,
# customer_number, row.
IDENTIFIER_NAME = re.compile(
    r"(?i:unnamed: \d+|#|(.*[ _.-])?(id|idx|index|uuid|guid|rownames|row)"
    rf"|({THINGS})[ _.-]?(id|no|nr|num|number|nummer|code|key|index)?"
    r"|(serial|running)?[ _.-]?(no|nr|num|number|nummer|code|key)|obs|observation)"
    r"|.*[a-z](Id|ID)"
)
WHOLE_LEVEL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def level_name(text: str) -> str:
    """Return a level as it is stored: accents composed, truth values written as Python does."""
    text = unicodedata.normalize("NFC", text)
    return text.title() if text.lower() in ("true", "false") else text


def levels_of(cells: Cells, missing: Sequence[str]) -> tuple[list[str], Array]:
    """Return the levels, the most frequent one first, and their numbers of rows."""
    counts: dict[str, int] = {}
    left = {*NO_LEVEL, *missing}
    texts, rows = distinct(cells)
    for text, count in zip(texts, rows.tolist(), strict=True):
        if text not in left:
            name = level_name(text)
            counts[name] = counts.get(name, 0) + count
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return names, np.array([counts[name] for name in names], dtype=np.int64)


def codes_of(
    cells: Cells, levels: Sequence[str], missing: Sequence[str]
) -> tuple[NDArray[np.int32], list[str]]:
    """Return the codes of N rows, and the texts that are no level."""
    left = {*NO_LEVEL, *missing}
    known = {level: code for code, level in enumerate(levels)}
    codes = np.empty(len(cells.values), dtype=np.int32)
    unseen = []
    for i, text in enumerate(cells.values.to_pylist()):
        code = MISSING if text is None or text in left else known.get(level_name(text), UNSEEN)
        if code == UNSEEN:
            code = _other_spelling(text, known)
        if code == UNSEEN:
            unseen.append(text)
        codes[i] = code
    return cells.spread(codes, MISSING), unseen


def _other_spelling(text: str, known: dict[str, int]) -> int:
    """Find the level that is written differently: 1 for True, 3.0 for 3."""
    truth = TRUTH.get(text.lower())
    words = {TRUTH.get(level.lower()): code for level, code in known.items()}
    if truth is not None and None not in words and len(words) == len(known) and truth in words:
        return words[truth]
    if WHOLE_LEVEL.fullmatch(text):
        for level, code in known.items():
            if WHOLE_LEVEL.fullmatch(level) and float(level) == float(text):
                return code
    return UNSEEN


def words_of(values: Any) -> float:
    """Return the mean number of words of (up to 1,000) texts."""
    import pyarrow.compute as pc

    sample = values.drop_null().slice(0, 1000)
    blanks = pc.mean(pc.count_substring_regex(sample, pattern=r"\s+")).as_py()
    return 1.0 + (blanks or 0.0)


def is_free_text(cells: Cells, different: int, present: int) -> bool:
    """Tell free text of words from codes and names."""
    if different < FEWEST_FOR_IDENTIFIER:
        return False
    words = words_of(cells.values)
    return (different > DISTINCT_SHARE * present and words >= WORDS) or (
        different > TEXT_SHARE * present and words >= MANY_WORDS
    )


def is_identifier(different: int, present: int) -> bool:
    """Tell whether nearly all rows have a value of their own."""
    return present >= FEWEST_FOR_IDENTIFIER and different > DISTINCT_SHARE * present
