"""Tables larger than memory: ``python -m bench.table_streams FOLDER [--gigabytes 8]``.

It writes a table of that size into FOLDER, as a folder of Parquet files or (``--kind csv``) as text
files, unless it is there: twelve columns of numbers, some with gaps, two columns of levels, and a
target. Then `fastmlp.tabular.train` trains one network on it for an epoch, with a limit of memory
that the table does not fit into, in a process of its own, which tells its largest resident memory
and the rows per second of the epoch and of the two passes over the files. Beside it stand the same
training on the first ``IN_MEMORY_ROWS`` rows, which fit, and the rate at which files can be read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.pool import ROOT
from bench.streams import forget_files, read_rate

NUMBERS, LEVELS, GROUP = 12, 2, 1 << 16
FILE_ROWS = 1 << 21
IN_MEMORY_ROWS = 1_000_000
# Bytes of a row in the files, roughly.
ROW_BYTES = {"parquet": 8 * (NUMBERS + 1) + LEVELS, "csv": 9.2 * (NUMBERS + 1) + 4 * LEVELS}
MEMORY = "1200MB"  # of the process, with what its libraries take, at most 1.5 GB


def group(number: int, rows: int) -> Any:
    """Rows of the table as a pyarrow.Table, determined by their number."""
    import pyarrow as pa

    rng = np.random.default_rng(number)
    x = rng.standard_normal((NUMBERS, rows)).round(4)
    y = np.tanh(x[: NUMBERS // 2].sum(axis=0)) + x[-1]
    columns: dict[str, Any] = {}
    for place, values in enumerate(x):
        gaps = rng.random(rows) < 0.05 if place % 4 == 3 else np.zeros(rows, dtype=bool)
        columns[f"x{place}"] = pa.array(values, mask=gaps)
    for place in range(LEVELS):
        codes = rng.integers(0, 5, rows)
        y = y + 0.2 * codes
        names = np.array(["ash", "elm", "fir", "oak", "yew"])[codes]
        columns[f"level{place}"] = pa.array(names)
    return pa.table({**columns, "y": y.round(4)})


def write(folder: Path, kind: str, gigabytes: float) -> Path:
    """Write the files, unless they are there; return their folder."""
    from pyarrow import csv, parquet

    rows = int(gigabytes * 1e9 / ROW_BYTES[kind])
    place = folder / f"{kind}-{rows}"
    done = folder / f"{kind}-{rows}.done"
    if done.exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    for begin in range(0, rows, FILE_ROWS):
        path = place / f"{begin // FILE_ROWS:03}.{kind}"
        schema = group(0, 1).schema
        writer: Any = (
            parquet.ParquetWriter(path, schema, compression="none", use_dictionary=["level0"])
            if kind == "parquet"
            else csv.CSVWriter(path, schema)
        )
        with writer:
            for start in range(begin, min(begin + FILE_ROWS, rows), GROUP):
                writer.write_table(group(start, min(GROUP, rows - start)))
    done.touch()
    return place


def files_of(place: Path) -> list[Path]:
    """The files of a table."""
    return sorted(place.iterdir())


def measure(place: Path, kind: str, in_memory: bool) -> dict[str, float]:
    """Rows per second and peak bytes of a training, in a process of its own."""
    forget_files(files_of(place))
    options = ["--in-memory"] if in_memory else []
    command = [sys.executable, "-m", "bench.table_streams", str(place), "--fit", kind, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


class _Clock:
    """Times the passes over the files."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}

    def on_bytes(self, title: str, done: int, total: int) -> None:
        self.last[title] = time.perf_counter()


def _fit(place: Path, kind: str, in_memory: bool) -> dict[str, float]:
    from fastmlp import tabular

    clock = _Clock()

    class Reporter(tabular.Reporter):
        on_bytes = staticmethod(clock.on_bytes)

    files: Any = [str(path) for path in files_of(place)]
    table: Any = files if kind == "csv" else str(place)
    if in_memory:
        table = _first_rows()
    model = tabular.MLP(hidden=(128, 64), epochs=1)
    start = time.perf_counter()
    trained = tabular.train(table, target="y", model=model, n_members=1, reporter=Reporter(),
                            memory=None if in_memory else MEMORY)  # fmt: skip
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    rows = trained.model.training["rows"]
    found = {"rows": rows, "rows_per_second": rows / trained.history.seconds[0], "peak": peak,
             "r2": trained.scores["R2"]}  # fmt: skip
    passes = {f"{title}_ends": end - start for title, end in clock.last.items()}
    return {**found, **passes, "seconds": time.perf_counter() - start}


def _first_rows() -> Any:
    """The rows at the beginning, in memory."""
    import pyarrow as pa

    parts: list[Any] = []
    for start in range(0, IN_MEMORY_ROWS, GROUP):
        parts.append(group(start, min(GROUP, IN_MEMORY_ROWS - start)))
    return pa.concat_tables(parts)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("python -m bench.table_streams", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, default=8.0)
    parser.add_argument("--kind", choices=list(ROW_BYTES), default="parquet")
    parser.add_argument("--fit", choices=list(ROW_BYTES), help=argparse.SUPPRESS)
    parser.add_argument("--in-memory", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.fit:
        print(json.dumps(_fit(given.folder, given.fit, given.in_memory)))
        return
    place = write(given.folder, given.kind, given.gigabytes)
    for in_memory in (True, False):
        found = measure(place, given.kind, in_memory)
        print("in memory" if in_memory else "in pieces", json.dumps(found))
    rate = read_rate(files_of(place))
    size = sum(path.stat().st_size for path in files_of(place))
    print(f"{size / 1e9:.2f} GB, which the disk gives at {rate / 1e6:.0f} MB/s")


if __name__ == "__main__":
    main(sys.argv[1:])
