"""Text files that are read in pieces of whole rows."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.tabular.reading import Frame, ReadOptions, TableError
from fastmlp.tabular.reading.delimited import parsed_part, without_total
from fastmlp.tabular.reading.dialect import Dialect, find_dialect
from fastmlp.tabular.reading.encodings import find_encoding, is_utf8
from fastmlp.tabular.reading.frame import named
from fastmlp.tabular.streaming.pieces import Piece, TableFiles, same_columns

BLOCK = 1 << 24  # bytes that are read and parsed at a time
SPOTS = 16  # of the files that a sample is taken from


class TextFile:
    """One text file: how it is written, by its first block."""

    def __init__(self, path: Path, options: ReadOptions, block: int) -> None:
        self.path, self._block = path, block
        self.is_packed = path.name.lower().endswith(".gz")
        with self._opened() as file:
            head = self._read(file, block)
        self.encoding, self._skipped, guess = find_encoding(head, options.encoding)
        self.notes = [f"{path}: read as {self.encoding}, as it is not UTF-8"] if guess else []
        self._errors = "replace" if guess else "strict"
        head = self._decoder().decode(head[self._skipped :])
        whole = head[: row_end(head, b"")] if len(head) >= block else head
        self.dialect = find_dialect(whole, options, str(path))
        self._quote = self.dialect.quote.encode()
        if not self.dialect.has_header:
            names = f"{self.dialect.names[0]} to {self.dialect.names[-1]}"
            self.notes.append(f"{path}: no names in the first line; they are called {names}")
        self._names: list[str] = []
        self._columns: list[str] = []

    def frames(self) -> Iterator[tuple[Frame, int]]:
        """Read the rows; return them with the number of bytes that are read."""
        waiting: Frame | None = None
        done = 0
        for data, start, position in self._blocks():
            frame = self.frame_of(data, start, done)
            if frame is not None:
                if waiting is not None:
                    yield waiting, done
                waiting = frame
            done = position
        if waiting is None:
            raise TableError(f"{self.path} has no rows")
        # A last row may hold the totals.
        table, notes = without_total(waiting.table)
        yield replace(waiting, table=table, notes=(*waiting.notes, *notes)), done

    def head(self, most: int) -> Frame:
        """Read rows from the beginning, of so many bytes."""
        data, start, _ = next(self._blocks(most))
        found = self.frame_of(data, start, 0)
        if found is None:
            raise TableError(f"{self.path} has no rows")
        return found

    def can_begin_anywhere(self) -> bool:
        """Tell whether each end of a line is the end of a row, as far as the first block tells."""
        with self._opened() as file:
            head = self._read(file, self._block)
        plain = codecs.lookup(self.encoding).name in ("utf-8", "ascii", "cp1252", "iso8859-1")
        if self.is_packed or not plain or self.dialect.separator == " ":
            return False
        return not self._quote or not _odd_ends(head, self._quote).any()

    def from_place(self, place: int, most: int) -> Frame | None:
        """Read rows of so many bytes behind a place of the file."""
        with self._opened() as file:
            file.seek(place)
            file.readline()
            data = self._read(file, most)
        data = self._decoder().decode(data[: data.rfind(b"\n") + 1])
        return self.frame_of(data, 0, place)

    def frame_of(self, data: bytes, start: int, position: int) -> Frame | None:
        """Parse some rows; None if there are none."""
        if not data[start:].strip():
            return None
        first = not self._columns
        where = str(self.path) if first else f"{self.path}, behind byte {position:,}"
        dialect: Dialect = replace(self.dialect, start=start)
        table, notes = parsed_part(data, dialect, where)
        if first:
            self._settle(table)
        if table.num_rows == 0:
            return None
        left = [name for name in table.column_names if name not in self._columns]
        for name in left:
            if table.column(name).null_count < table.num_rows:
                raise TableError(f"{where}: a row has more values than there are names")
        table = named(table.select(self._columns), self._names, where)
        return Frame(table, tuple(f"{where}: {note}" for note in notes), self.dialect.separator)

    def _settle(self, table: Any) -> None:
        """Choose the columns, by the first rows: those that have a name or a value."""
        given = list(self.dialect.names) + [""] * (table.num_columns - len(self.dialect.names))
        for number, (column, name) in enumerate(zip(table.column_names, given, strict=True)):
            if name.strip() or table.column(column).null_count < table.num_rows:
                self._columns.append(column)
                self._names.append(name if name.strip() else f"Unnamed: {number}")

    def _blocks(self, size: int | None = None) -> Iterator[tuple[bytes, int, int]]:
        """Read whole rows as UTF-8; return where they begin, and how far the file was read."""
        decoder, rest, start = self._decoder(), b"", self.dialect.start
        with self._opened() as file:
            self._read(file, self._skipped)
            while True:
                raw = self._read(file, size or self._block)
                is_last = len(raw) < (size or self._block)
                data = rest + decoder.decode(raw, is_last)
                end = len(data) if is_last else row_end(data, self._quote)
                if end:
                    yield data[:end], start, self._position(file)
                    start = 0
                rest = data[end:]
                if is_last:
                    return

    def _opened(self) -> Any:
        return gzip.open(self.path, "rb") if self.is_packed else open(self.path, "rb")

    def _read(self, file: Any, size: int) -> bytes:
        try:
            found: bytes = file.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise TableError(f"{self.path} cannot be read as gzip: {error}") from error
        return found

    def _position(self, file: Any) -> int:
        return int((file.fileobj if self.is_packed else file).tell())

    def _decoder(self) -> _Decoder:
        return _Decoder(self.encoding, self._errors, self.path)


class _Decoder:
    """Turns blocks of a file into UTF-8, without characters of value 0."""

    def __init__(self, encoding: str, errors: str, path: Path) -> None:
        self._path, self._encoding, self._done = path, encoding, 0
        plain = codecs.lookup(encoding).name in ("utf-8", "ascii")
        self._decoder = None if plain else codecs.getincrementaldecoder(encoding)(errors)

    def decode(self, raw: bytes, final: bool = False) -> bytes:
        """Decode a block; one of UTF-8 is checked only, by whole characters."""
        data = raw
        if self._decoder is not None:
            try:
                data = self._decoder.decode(raw, final).encode()
            except UnicodeError as error:
                raise self._refused(str(error)) from error
        elif not is_utf8(raw[_first_whole(raw) :] if self._done else raw, whole=False):
            raise self._refused("a byte that is none of it")
        self._done += len(raw)
        return data.replace(b"\0", b"") if b"\0" in data else data

    def _refused(self, why: str) -> TableError:
        return TableError(
            f"{self._path} is not {self._encoding} behind byte {self._done:,}: {why}; "
            "give another `encoding`"
        )


def _first_whole(raw: bytes) -> int:
    """Return where the first character of UTF-8 begins that is in the block as a whole."""
    return next((i for i in range(min(4, len(raw))) if raw[i] & 0xC0 != 0x80), 0)


def _odd_ends(data: bytes, quote: bytes) -> Any:
    """Tell for each end of a line whether it is inside of quotes."""
    values = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(values == ord("\n"))
    return np.searchsorted(np.flatnonzero(values == quote[0]), ends) % 2 == 1


def row_end(data: bytes, quote: bytes) -> int:
    """Return where the last whole row ends, 0 if there is none."""
    if quote and quote in data:
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        whole = ends[~_odd_ends(data, quote)]
        return int(whole[-1]) + 1 if len(whole) else 0
    end = data.rfind(b"\n")
    return (end if end >= 0 else data.rfind(b"\r", 0, len(data) - 1)) + 1


class TextFiles(TableFiles):
    """Text files of the same columns."""

    def __init__(self, paths: Sequence[Path], options: ReadOptions, block: int = BLOCK) -> None:
        super().__init__(paths)
        self._files = [TextFile(path, options, block) for path in paths]
        self._names: list[str] = []

    def pieces(self, columns: Sequence[str] | None = None) -> Iterator[Piece]:
        self.check()
        before = 0
        for number, (file, (size, _)) in enumerate(zip(self._files, self._known, strict=True)):
            first = number == 0
            for frame, done in file.frames():
                frame = self._checked(frame, file, with_notes=first)
                first = False
                if columns is not None:
                    frame = replace(frame, table=frame.table.select(columns))
                yield Piece(frame, str(file.path), before + done)
            before += size
        self.check()

    def sample(self, most_bytes: int) -> Frame:
        if self.bytes <= most_bytes and not any(file.is_packed for file in self._files):
            return _joined([piece.frame for piece in self.pieces()])
        found: list[Frame] = []
        of_file = max(1, SPOTS // len(self._files))
        most = max(1 << 16, most_bytes // (of_file * len(self._files)))
        for file, (size, _) in zip(self._files, self._known, strict=True):
            if not file.can_begin_anywhere():
                found.append(self._checked(file.head(of_file * most), file))
                continue
            found.append(self._checked(file.head(most), file))
            for spot in range(1, of_file):
                frame = file.from_place(size * spot // of_file, most)
                found += [] if frame is None else [self._checked(frame, file)]
        return _joined(found)

    def count_rows(self, sample: Frame, most_bytes: int) -> int:
        taken = min(self.bytes, most_bytes)
        return max(len(sample), round(len(sample) * self.bytes / max(taken, 1)))

    def _checked(self, frame: Frame, file: TextFile, with_notes: bool = True) -> Frame:
        self._names = self._names or frame.names
        same_columns(frame.names, self._names, file.path)
        notes = (*file.notes, *frame.notes) if with_notes else frame.notes
        return replace(frame, table=frame.table.select(self._names), notes=notes)


def _joined(frames: Sequence[Frame]) -> Frame:
    import pyarrow as pa

    notes = tuple(dict.fromkeys(note for frame in frames for note in frame.notes))
    table = pa.concat_tables([frame.table for frame in frames])
    return Frame(table, notes, frames[0].separator)
