"""Fits of tables larger than memory: ``python -m bench.streams FOLDER [--gigabytes 8]``.

It writes a table of that size into FOLDER (twice: one array in a memory-mapped file, and a folder
of Parquet files), unless it is there, and trains a network on it for an epoch. Each fit runs in a
process of its own, which tells rows per second and its largest resident memory. Beside it stand the
same fit on as many of the rows as ``IN_MEMORY`` bytes hold, in arrays, and the rate at which the
files can be read. The page cache is told to forget the files first, so they come from the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp as fm
from bench.pool import ROOT

COLUMNS, BATCH, FILES, GROUP = 100, 256, 16, 1 << 16
# Bytes of the rows that are trained from arrays, for comparison.
IN_MEMORY = 8 * 10**8
_CHUNK = 1 << 16
KINDS = ("map", "parquet")


def rows_of(gigabytes: float) -> int:
    """Rows of a table of this size."""
    return int(gigabytes * 1e9) // (4 * COLUMNS)


def chunk(number: int, rows: int) -> tuple[Any, Any]:
    """Rows of the table: standard normal inputs, and a target that depends on all of them."""
    x = np.random.default_rng(number).standard_normal((rows, COLUMNS), np.float32)
    return x, np.tanh(x[:, : COLUMNS // 2].sum(axis=1)) + x[:, -1]


def write(folder: Path, rows: int) -> None:
    """Write both forms of the table, unless they are there."""
    done = folder / f"{rows}.done"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table").mkdir(exist_ok=True)
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, COLUMNS))
    y = np.empty(rows, np.float32)
    each = -(-rows // FILES)
    for number in range(FILES):
        begin, end = number * each, min((number + 1) * each, rows)
        for start in range(begin, end, _CHUNK):
            part = slice(start, min(start + _CHUNK, end))
            x[part], y[part] = chunk(start, part.stop - part.start)
        _write_parquet(folder / "table" / f"{number:02}.parquet", x[begin:end], y[begin:end])
    x.flush()
    np.save(folder / "y.npy", y)
    done.touch()


def _write_parquet(path: Path, x: Any, y: Any) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    names = [f"x{k}" for k in range(COLUMNS)]
    schema = pa.schema([(name, pa.float32()) for name in [*names, "y"]])
    with parquet.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for begin in range(0, len(x), GROUP):
            part = slice(begin, begin + GROUP)
            columns = [np.ascontiguousarray(x[part, k]) for k in range(COLUMNS)]
            writer.write_table(pa.table([*columns, y[part]], schema=schema))


def network() -> Any:
    """The network that is trained."""
    return fm.Sequential(fm.Linear(COLUMNS, 256), fm.ReLU(), fm.Linear(256, 128), fm.ReLU(),
                         fm.Linear(128, 1), seed=0)  # fmt: skip


def source(folder: Path, kind: str) -> Any:
    """The table as a source; "arrays": the first rows, in memory."""
    if kind == "parquet":
        return fm.data.arrow(folder / "table", targets="y")
    x, y = np.load(folder / "x.npy", mmap_mode="r"), np.load(folder / "y.npy", mmap_mode="r")
    if kind == "map":
        return fm.data.arrays(x, y)
    count = min(len(x), IN_MEMORY // (4 * COLUMNS))
    return np.array(x[:count]), np.array(y[:count])


def forget(folder: Path) -> None:
    """Tell the page cache to forget the table."""
    forget_files(_files(folder))


def forget_files(files: Sequence[Path]) -> None:
    """Tell the page cache to forget some files."""
    os.sync()
    for path in files:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _files(folder: Path) -> list[Path]:
    return [folder / "x.npy", *sorted((folder / "table").iterdir())]


def disk_rate(folder: Path, kind: str) -> float:
    """Bytes per second of reading the files of a form once, from the disk."""
    return read_rate(_files(folder)[:1] if kind == "map" else _files(folder)[1:])


def read_rate(files: Sequence[Path]) -> float:
    """Bytes per second of reading some files once, from the disk."""
    forget_files(files)
    start, read, buffer = time.perf_counter(), 0, bytearray(1 << 20)
    for path in files:
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                read += count
    return read / (time.perf_counter() - start)


def measure(folder: Path, kind: str) -> dict[str, float]:
    """Rows per second and peak bytes of a fit, in a process of its own."""
    forget(folder)
    command = [sys.executable, "-m", "bench.streams", str(folder), "--fit", kind]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _fit(folder: Path, kind: str) -> dict[str, float]:
    """Train for one epoch; the time is that of the epoch, without making network and arrays."""
    given = source(folder, kind)
    rows = given if isinstance(given, tuple) else (given, None)
    trainer = fm.Trainer(network(), fm.MSELoss(), fm.Adam(lr=1e-3))
    history = trainer.fit(*rows, epochs=1, batch_size=BATCH, progress=False)
    count = len(rows[0]) if rows[1] is not None else given.rows
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return {"rows": count, "rows_per_second": count / history.seconds[0], "peak": peak,
            "loss": history.loss[0]}  # fmt: skip


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("python -m bench.streams", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=8.0)
    parser.add_argument("--fit", choices=[*KINDS, "arrays"], help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.fit:
        print(json.dumps(_fit(given.folder, given.fit)))
        return
    write(given.folder, rows_of(given.gigabytes))
    for kind in ("arrays", *KINDS):
        found = measure(given.folder, kind)
        rate = f", disk {disk_rate(given.folder, kind) / 1e6:.0f} MB/s" if kind in KINDS else ""
        print(
            f"{kind}: {found['rows']:.0f} rows, {found['rows_per_second']:.0f} rows/s "
            f"({found['rows_per_second'] * 4e-6 * COLUMNS:.0f} MB/s){rate}, "
            f"{found['peak'] / 1e9:.2f} GB resident"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
