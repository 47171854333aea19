"""From the bytes of a text file to UTF-8, whatever encoding it was written in."""

from __future__ import annotations

import codecs
import re

from fastmlp.tabular.reading.errors import TableError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark is the beginning of this one.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
PIECE = 1 << 20  # bytes that are decoded at once: a large file is not held twice
SAMPLE = 1 << 16
NUL_SHARE = 0.3  # of the bytes at even or odd places, from which on a text is UTF-16
# Western encodings differ in few letters, and short samples do not tell them apart: the one of
# Windows has nearly all of them.
USUAL = "cp1252"
# Encodings of other alphabets, which are considered where most letters are not ASCII.
OTHERS = ["cp1251", "koi8_r", "cp866", "cp1253", "cp1255", "cp1256", "cp874", "gb18030", "big5",
          "cp932", "euc_jp", "cp949"]  # fmt: skip
SEPARATORS = re.compile(rb"[,;\t\r]")
OTHER_SHARE = 0.7  # of the letters, from which on the alphabet is another


def to_utf8(data: bytes, encoding: str | None, what: str) -> tuple[bytes, str | None]:
    """Return text as UTF-8 without a byte order mark, and a note if its encoding was guessed.

    Parameters
    ----------
    data : bytes
    encoding : str or None
        Its encoding, if known.
    what : str
        Name of the file, for messages.

    Raises
    ------
    TableError
        If it has not the given encoding.

    Examples
    --------
    >>> to_utf8("é".encode("utf-16"), None, "t.csv")
    (b'\\xc3\\xa9', None)
    """
    if encoding is not None:
        return _as_given(data, encoding, what), None
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], name, what), None
    utf16 = _utf16_without_mark(data)
    if utf16 is not None:
        return _decoded(data, utf16, what), None
    if is_utf8(data):
        return data, None
    name = _guess(data)
    text = data.decode(name, errors="replace")
    note = f"{what}: read as {name}, as it is not UTF-8; give `encoding` if letters look wrong"
    return text.encode(), note


def _as_given(data: bytes, encoding: str, what: str) -> bytes:
    for mark, name in BYTE_ORDER_MARKS:
        if _names_same(name, encoding) and data.startswith(mark):
            return _decoded(data[len(mark) :], name, what)
    return _decoded(data, encoding, what)


def _decoded(data: bytes, encoding: str, what: str) -> bytes:
    if codecs.lookup(encoding).name == "utf-8" and is_utf8(data):
        return data
    try:
        return data.decode(encoding).encode()
    except (UnicodeError, LookupError) as error:
        message = f"{what} is not {encoding}: {error}; give another `encoding`"
        raise TableError(message) from error


def _utf16_without_mark(data: bytes) -> str | None:
    """Tell UTF-16 by the zero bytes that letters without accents have in it."""
    sample = data[:SAMPLE]
    half = len(sample) // 2
    if half == 0 or len(data) % 2:
        return None
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if max(even, odd) < NUL_SHARE or min(even, odd) > NUL_SHARE / 10:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def find_encoding(data: bytes, encoding: str | None) -> tuple[str, int, bool]:
    """Find the encoding of a file by its beginning.

    Returns
    -------
    str
        Name of the encoding.
    int
        Number of bytes of a byte order mark.
    bool
        Whether it was guessed.
    """
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark) and (encoding is None or _names_same(name, encoding)):
            return name, len(mark), False
    if encoding is not None:
        return encoding, 0, False
    utf16 = _utf16_without_mark(data)
    if utf16 is not None:
        return utf16, 0, False
    return ("utf-8", 0, False) if is_utf8(data, whole=False) else (_guess(data), 0, True)


def _names_same(name: str, given: str) -> bool:
    """Tell whether a given encoding, perhaps without the order of bytes, is one of a mark."""
    return codecs.lookup(name).name.startswith(codecs.lookup(given).name.split("-sig")[0])


def is_utf8(data: bytes, whole: bool = True) -> bool:
    """Tell whether bytes are UTF-8; if not `whole`, the last character may be cut off."""
    if data.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(data)
    try:
        for start in range(0, len(data), PIECE):
            decoder.decode(view[start : start + PIECE])
        decoder.decode(b"", final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _guess(data: bytes) -> str:
    """Guess the encoding by the values that are not ASCII; with charset-normalizer if installed."""
    sample = b"\n".join(_foreign_values(data))
    other = sum(byte >= 0x80 for byte in sample)
    letters = other + sum(bytes([byte]).isalpha() for byte in sample)
    if other < OTHER_SHARE * letters:
        return USUAL
    try:
        import charset_normalizer
    except ModuleNotFoundError:
        return USUAL
    best = charset_normalizer.from_bytes(sample, cp_isolation=OTHERS).best()
    return USUAL if best is None else str(best.encoding)


def _foreign_values(data: bytes) -> list[bytes]:
    """Return different values that are not ASCII; numbers beside them would mislead a guess."""
    found: dict[bytes, None] = {}
    size = 0
    for line in data.split(b"\n"):
        if line.isascii():
            continue
        # No encoding has these separators as parts of letters.
        for value in SEPARATORS.split(line):
            if not value.isascii() and value not in found:
                found[value] = None
                size += len(value)
        if size > SAMPLE:
            break
    return list(found)
