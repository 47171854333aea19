"""How much of a column a way of reading it explains, and what it leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastmlp.tabular.columns.cells import Cells
from fastmlp.tabular.columns.numbers import Numbers
from fastmlp.tabular.reading.arrow import booleans, valid_of

# Of the values that are present: so many must be numbers (dates) for a column of numbers (dates).
PARSED_SHARE = 0.95
# If at most so many different words stand among (many more) numbers, they mean missing values.
MOST_WORDS, FEWEST_SHARE, FEWEST_DIFFERENT = 3, 0.5, 20
MOST_SHOWN = 3


def weight(cells: Cells, mask: NDArray[np.bool_]) -> int:
    """Number of rows of some cells."""
    return int(np.count_nonzero(mask) if cells.codes is None else cells.counts[mask].sum())


def unread(cells: Cells, found: Numbers) -> NDArray[np.bool_]:
    """Mask of the cells that are present, but were not read (NaN in `found`)."""
    return valid_of(cells.values) & np.isnan(found)


def is_accepted(cells: Cells, found: Numbers, bad: NDArray[np.bool_]) -> bool:
    """Tell whether enough cells were read for the column to be of that kind."""
    good, wrong = weight(cells, ~np.isnan(found)), weight(cells, bad)
    if wrong == 0 or good >= PARSED_SHARE * (good + wrong):
        return good > 0
    few = len(shown_texts(cells, bad, MOST_WORDS + 1)) <= MOST_WORDS
    different = len(np.unique(found[~np.isnan(found)]))
    return few and good >= FEWEST_SHARE * (good + wrong) and different >= FEWEST_DIFFERENT


def shown_texts(cells: Cells, mask: NDArray[np.bool_], most: int = MOST_SHOWN) -> list[str]:
    """Return up to `most` different texts of some cells."""
    texts = cells.values.filter(booleans(mask)).unique().drop_null()
    return [str(text) for text in texts.slice(0, most).to_pylist()]


def listed(texts: list[str]) -> str:
    """Write texts in quotes.

    Examples
    --------
    >>> listed(["-", "n.d."])
    "'-', 'n.d.'"
    """
    return ", ".join(f"{text!r:.40}" for text in texts)
