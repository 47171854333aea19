"""Fits of tables larger than memory: the bits of arrays, bounded memory, the speed of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench import streams, table_streams

import fastmlp as fm
from contract.figures import Figure, Scale, Unavailable, at_least, at_most, exactly, fact

TITLE = "Data larger than memory"
GIGABYTES = 8.0
# Of the table above; and of the speed of arrays, or of the disk if that is slower.
MOST_RESIDENT, LEAST_SPEED = 1.5, 0.9
ROUNDS = 3


def run(scale: Scale) -> list[Figure]:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise Unavailable("no pyarrow here") from None
    figures = list(_bits(scale))
    return [*figures, *_large(scale), *_tables(scale)] if scale.full else figures


# ---- bits ----


def _forms(folder: Path, x: Any, y: Any, rows: int) -> Iterator[tuple[str, Any]]:
    """The same rows as streams, in blocks of ``rows`` rows."""
    np.save(folder / "x.npy", x)
    yield "map", fm.data.arrays(np.load(folder / "x.npy", mmap_mode="r"), y)
    yield "blocks", [(x[k : k + rows], y[k : k + rows]) for k in range(0, len(x), rows)]
    names = [f"x{k}" for k in range(x.shape[1])]
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table([*x.T.copy(), y], names=[*names, "y"])
    parquet.write_table(table, folder / "rows.parquet", row_group_size=rows)
    yield "parquet", fm.data.arrow(folder / "rows.parquet", targets="y")


def _bits(scale: Scale) -> Iterator[Figure]:
    """Fits of streams, compared with those of arrays by parameters and losses."""
    rng = np.random.default_rng(0)
    fits, wrong = 0, []
    for case in range(scale.choose(4, 60)):
        rows, width = int(rng.integers(1, 2000)), int(rng.integers(1, 40))
        x = rng.standard_normal((rows, width)).astype(np.float32)
        y = x.sum(axis=1)
        options = {"batch_size": int(rng.integers(1, 200)), "drop_last": bool(case % 2)}
        folder = scale.scratch / f"case{case}"
        folder.mkdir()
        for shuffle in (False, True):
            expected = _fit(x, y, width, shuffle=shuffle, **options)
            for name, form in _forms(folder, x, y, int(rng.integers(1, rows + 1))):
                fits += 1
                if _fit(form, None, width, shuffle=shuffle, **options) != expected:
                    wrong.append(f"{name} of {rows} x {width}, {options}, shuffle={shuffle}")
    yield exactly(
        f"Fits with other bits than of arrays, of {fits}", len(wrong), 0, "; ".join(wrong)
    )


def _fit(x: Any, y: Any, width: int, **options: Any) -> tuple[bytes, list[float]]:
    net = fm.Sequential(fm.Linear(width, 16), fm.BatchNorm(16), fm.ReLU(), fm.Dropout(0.2),
                        fm.Linear(16, 1), seed=0)  # fmt: skip
    history = fm.fit(net, x, y, loss=fm.MSELoss(), epochs=2, progress=False, **options)
    return net.params.tobytes(), history.loss


# ---- a large table ----


def _large(scale: Scale) -> Iterator[Figure]:
    folder = scale.scratch / "large"
    scale.say(f"writes a table of {GIGABYTES:g} GB twice")
    streams.write(folder, streams.rows_of(GIGABYTES))
    best: dict[str, dict[str, float]] = {}
    for _ in range(ROUNDS):
        for kind in ("arrays", *streams.KINDS):
            found = streams.measure(folder, kind)
            scale.say(f"{kind}: {found['rows_per_second']:.0f} rows/s")
            if kind not in best or found["rows_per_second"] > best[kind]["rows_per_second"]:
                best[kind] = found
    memory = best["arrays"]["rows_per_second"]
    yield fact("Rows per second, of arrays", round(memory))
    for kind in streams.KINDS:
        rate, found = streams.disk_rate(folder, kind), best[kind]
        rows = found["rows_per_second"]
        disk = rate / (4 * streams.COLUMNS)
        yield at_most(f"Resident GB, {kind}", round(found["peak"] / 1e9, 2), MOST_RESIDENT)
        yield fact(f"Rows per second, {kind}", round(rows), f"the disk gives {disk:.0f}")
        limit = min(memory, disk)
        name = f"Speed of {kind}, of {'arrays' if memory <= disk else 'the disk'}"
        yield at_least(name, round(rows / limit, 3), LEAST_SPEED)


# ---- tables of text, levels and gaps ----


def _tables(scale: Scale) -> Iterator[Figure]:
    for kind in table_streams.ROW_BYTES:
        scale.say(f"writes a table of {GIGABYTES:g} GB, as {kind}")
        place = table_streams.write(scale.scratch, kind, GIGABYTES)
        memory, pieces = (table_streams.measure(place, kind, fits) for fits in (True, False))
        rate = streams.read_rate(table_streams.files_of(place))
        size = sum(path.stat().st_size for path in table_streams.files_of(place))
        disk = rate / size * pieces["rows"]
        limit = min(memory["rows_per_second"], disk)
        yield at_most(
            f"Resident GB, a table as {kind}", round(pieces["peak"] / 1e9, 2), MOST_RESIDENT
        )
        yield at_least(
            f"Speed of an epoch of a table as {kind}, of memory or the disk",
            round(pieces["rows_per_second"] / limit, 3), LEAST_SPEED,
        )  # fmt: skip
        yield fact(
            f"Seconds of both passes over {size / 1e9:.1f} GB as {kind}",
            round(pieces["encoding_ends"]), f"the disk gives it in {size / rate:.0f} s",
        )  # fmt: skip
