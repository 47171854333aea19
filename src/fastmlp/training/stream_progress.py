"""How far an epoch of a stream is: rows and bytes."""

from __future__ import annotations


class StreamProgress:
    """What has been read and trained in the present epoch of a stream.

    Attributes
    ----------
    rows, rows_in_all : int, int or None
        Rows so far, and of an epoch, if that is known.
    bytes, bytes_in_all : int, int or None
        Bytes of the arrays that were read so far, and of an epoch.
    seconds : float
        Time of this epoch.
    """

    def __init__(self, rows_in_all: int | None = None, bytes_in_all: int | None = None) -> None:
        self.rows_in_all, self.bytes_in_all = rows_in_all, bytes_in_all
        self.begin(0, 0)

    def begin(self, rows: int, read: int) -> None:
        """Begin an epoch, or go on with one."""
        self.rows, self.bytes, self.seconds = rows, read, 0.0

    def add(self, rows: int, read: int, seconds: float) -> None:
        """Count rows that were trained; ``seconds`` is the time of the epoch so far."""
        self.rows += rows
        self.bytes += read
        self.seconds = seconds

    def __str__(self) -> str:
        """Rows, bytes and rate as a short text.

        Examples
        --------
        >>> progress = StreamProgress(8_000_000)
        >>> progress.add(1_500_000, 3_000_000_000, 10.0)
        >>> str(progress)
        '1.5M of 8M rows, 3 GB, 300 MB/s'
        """
        rows = _short(self.rows)
        if self.rows_in_all is not None:
            rows += f" of {_short(self.rows_in_all)}"
        read = f", {_sized(self.bytes)}" if self.bytes else ""
        rate = f", {_sized(self.bytes / self.seconds)}/s" if read and self.seconds else ""
        return f"{rows} rows{read}{rate}"


def _short(count: int) -> str:
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return str(count)


def _sized(count: float) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.0f} bytes"
