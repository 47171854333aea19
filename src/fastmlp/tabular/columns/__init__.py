"""The strict reader of columns: what kind a column is, and why, by all of its values.

`decide` judges a column and makes a rule; `read` reads columns by rules. Both work on the different
values of a column where these are few, and with Arrow's functions on whole columns.
"""

from __future__ import annotations

from fastmlp.tabular.columns.reader import TableReader
from fastmlp.tabular.columns.rule import ColumnRule
from fastmlp.tabular.columns.table import MISSING, UNSEEN, Kind, ReadColumn, ReadTable

__all__ = ["MISSING", "UNSEEN", "ColumnRule", "Kind", "ReadColumn", "ReadTable", "TableReader"]
