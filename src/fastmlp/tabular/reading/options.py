"""How a table is to be read, where its owner knows better than the detection."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fastmlp.base import validation
from fastmlp.base.errors import ArgumentError, ArgumentTypeError

DECIMALS = (".", ",")
THOUSANDS = (",", ".", " ", "'")
KINDS = ("numeric", "date", "categorical", "text")
# Ways to spell a separator where the character itself is hard to type.
SEPARATOR_NAMES = {"\\t": "\t", "tab": "\t", "space": " ", "comma": ",", "semicolon": ";"}


def normal_name(name: Any) -> str:
    """Return the name of a column as text: without outer blanks, accents composed (NFC).

    Examples
    --------
    >>> normal_name(" cafe\\u0301 "), normal_name(3)
    ('café', '3')
    """
    return unicodedata.normalize("NFC", str(name)).strip()


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How to read a table. None means that it is detected.

    Parameters
    ----------
    encoding : str, optional
        Encoding of a text file, such as ``"cp1252"``.
    sep : str, optional
        The character between two values of a text file; ``"\\\\t"`` and ``"space"`` are understood.
    skip_rows : int, optional
        Number of lines before the names of the columns.
    decimal : {".", ","}, optional
        What stands between whole digits and decimals in all columns.
    thousands : {",", ".", " ", "'"}, optional
        What separates groups of three digits in all columns.
    missing : tuple of str
        More texts or numbers that mean a missing value, such as ``"-9999"``.
    drop : tuple of str
        Columns to leave out.
    keep : tuple of str
        Columns that are not learnt, but copied into tables of predictions.
    kinds : mapping of str to str
        Kinds of columns: ``"numeric"``, ``"date"``, ``"categorical"`` or ``"text"``. Also
        ``"date:dmy"``, ``"date:mdy"`` and ``"date:ymd"``, which tell the order of day and month.

    Raises
    ------
    ArgumentError
        If a value is none of these.

    Examples
    --------
    >>> ReadOptions(sep="tab", kinds={"zip": "categorical"}).sep
    '\\t'
    """

    encoding: str | None = None
    sep: str | None = None
    skip_rows: int | None = None
    decimal: str | None = None
    thousands: str | None = None
    missing: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("missing", "drop", "keep"):
            object.__setattr__(self, name, _checked_texts(getattr(self, name), name))
        for name in ("drop", "keep"):
            object.__setattr__(self, name, tuple(map(normal_name, getattr(self, name))))
        if self.encoding is not None:
            _check_encoding(self.encoding)
        if self.sep is not None:
            object.__setattr__(self, "sep", _checked_separator(self.sep))
        if self.skip_rows is not None:
            validation.integer(self.skip_rows, "skip_rows", 0)
        _check_choice(self.decimal, DECIMALS, "decimal")
        _check_choice(self.thousands, THOUSANDS, "thousands")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ArgumentError(f"thousands: got {self.thousands!r}, which is `decimal` too")
        object.__setattr__(self, "kinds", _checked_kinds(self.kinds))

    def among(self, names: Iterable[str]) -> ReadOptions:
        """Return the same options without those on columns that are not among some names."""
        found = set(names)
        drop, keep = (tuple(n for n in some if n in found) for some in (self.drop, self.keep))
        kinds = {name: kind for name, kind in self.kinds.items() if name in found}
        return replace(self, drop=drop, keep=keep, kinds=kinds)


def _checked_texts(texts: Any, name: str) -> tuple[str, ...]:
    several = isinstance(texts, Iterable) and not isinstance(texts, (str, bytes))
    items = tuple(texts) if several else None
    if items is None or not all(isinstance(text, str) for text in items):
        raise ArgumentTypeError(f"{name}: got {validation.shown(texts)}; want a tuple of texts")
    return items


def _checked_kinds(kinds: Any) -> dict[str, str]:
    if not isinstance(kinds, Mapping):
        wanted = "a mapping of names of columns to kinds"
        raise ArgumentTypeError(f"kinds: got {validation.shown(kinds)}; want {wanted}")
    for kind in kinds.values():
        base, _, order = str(kind).partition(":")
        dates = order in ("", "dmy", "mdy", "ymd") and (base == "date" or not order)
        if base not in KINDS or not dates:
            raise ArgumentError(f"kinds: got {kind!r}; want one of {', '.join(KINDS)}")
    return {normal_name(name): kind for name, kind in kinds.items()}


def _check_encoding(name: str) -> None:
    try:
        codecs.lookup(name)
    except (LookupError, TypeError, ValueError) as error:
        wanted = "the name of an encoding, such as utf-8 or cp1252"
        raise ArgumentError(f"encoding: got {name!r:.40}; want {wanted}") from error


def _checked_separator(sep: str) -> str:
    found = SEPARATOR_NAMES.get(sep.lower(), sep) if isinstance(sep, str) else ""
    if len(found) != 1 or ord(found) > 127 or found in "\r\n\"'":
        raise ArgumentError(f"sep: got {sep!r:.40}; want one character, such as ';' or 'tab'")
    return found


def _check_choice(value: str | None, choices: tuple[str, ...], name: str) -> None:
    if value is not None and value not in choices:
        raise ArgumentError(f"{name}: got {value!r:.40}; want one of {', '.join(choices)}")
