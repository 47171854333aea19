"""Rows that a fit reads block by block: tables larger than memory, and streams.

``fm.fit(net, source, loss=...)`` takes what these functions return, and wraps plain iterables,
functions and PyTorch's data loaders by itself.
"""

from fastmlp.data.array_source import ArraySource, arrays
from fastmlp.data.arrow_source import ArrowSource, arrow
from fastmlp.data.choosing import as_source, is_mapped
from fastmlp.data.iterables import IterableSource, is_loader, iterable
from fastmlp.data.read_ahead import ReadAhead
from fastmlp.data.source import Block, Source
from fastmlp.data.subset import Subset, split

__all__ = [
    "ArraySource",
    "ArrowSource",
    "Block",
    "IterableSource",
    "ReadAhead",
    "Source",
    "Subset",
    "arrays",
    "arrow",
    "as_source",
    "is_loader",
    "is_mapped",
    "iterable",
    "split",
]
