"""Fuzzing of model files, checkpoints and descriptions of networks from untrusted sources.

The full run has three targets guided by coverage: files and JSON descriptions with atheris, and
descriptions for the C core with libFuzzer (tests/c/fuzz_graph.c). The corpora are in ``corpus``.
The quick part replays them, and some hundred random changes of them.
"""

from __future__ import annotations

import collections
import importlib.util
import io
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import fastmlp as fm
from contract import fuzzing_cases, native
from contract.figures import Figure, Scale, Unavailable, at_least, at_most, exactly, fact

TITLE = "Fuzzing"

CPU_HOURS = 2.0
CORPUS = Path(__file__).parent / "corpus"
CRASHES = Path(__file__).parent / "crashes"  # inputs that failed are kept here
MOST_CORPUS_BYTES = 60_000  # of each corpus
DIRECTORY_ENTRY = 50  # of a zip file, for a name of four letters
SEED = 20240607
CHANGES = 150  # in the quick part, for each kind
LARGE = (3000, 2000, 10)  # widths of the network whose file is used to measure memory
FUZZER_FLAGS = "-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined -g1"
ENVIRONMENT = {
    # Larger blocks are refused, as on a machine with little memory.
    "ASAN_OPTIONS": "allocator_may_return_null=1:max_allocation_size_mb=512:quarantine_size_mb=16",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


@dataclass(frozen=True)
class Target:
    """A fuzzer's program and its options."""

    name: str
    command: tuple[str, ...]
    options: tuple[str, ...]


def run(scale: Scale) -> list[Figure]:
    """Replay the corpora; the full run then fuzzes for two hours of processor time."""
    figures = _files(scale) + _descriptions(scale)
    if scale.builds:
        figures += _graphs(scale)
    return figures + (_guided(scale) if scale.full else [])


# ---- the corpora ----


def corpus(name: str) -> list[bytes]:
    """The inputs kept for a target."""
    with zipfile.ZipFile(CORPUS / f"{name}.zip") as archive:
        return [archive.read(one) for one in sorted(archive.namelist())]


def keep(name: str, folder: Path) -> None:
    """Keep a minimised corpus, smallest inputs first, up to the size limit."""
    found = sorted((path.read_bytes() for path in folder.iterdir()), key=lambda b: (len(b), b))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for k, contents in enumerate(found):
            if packed.tell() + len(contents) + DIRECTORY_ENTRY * (k + 2) > MOST_CORPUS_BYTES:
                break
            archive.writestr(zipfile.ZipInfo(f"{k:04d}"), contents, zipfile.ZIP_DEFLATED)
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{name}.zip").write_bytes(packed.getvalue())


def _unpack(name: str, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for k, contents in enumerate(corpus(name)):
        (folder / f"{k:04d}").write_bytes(contents)
    return folder


# ---- replays ----


@dataclass
class Tally:
    """Outcomes of cases, and the first cases that broke a promise."""

    outcomes: collections.Counter[str]
    broken: int = 0
    first: str = ""

    def note(self, error: Exception) -> None:
        self.broken += 1
        self.first = self.first or f"{type(error).__name__}: {error!s:.200}"

    def figures(self, what: str) -> list[Figure]:
        outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(self.outcomes.items()))
        return [
            exactly(f"{what}: crashes and broken promises", self.broken, 0, self.first),
            at_least(f"{what}: cases", sum(self.outcomes.values()) + self.broken, 1, note=outcomes),
        ]


def _files(scale: Scale) -> list[Figure]:
    rng = random.Random(SEED)
    seeds = [*fuzzing_cases.real_files(scale.scratch), *corpus("files")]
    target, path = fuzzing_cases.target(), scale.scratch / "file"
    tally, worst = Tally(collections.Counter()), 0
    for contents in _changed(seeds, fuzzing_cases.mutated_file, rng, scale):
        try:
            outcome, beyond = fuzzing_cases.try_file(contents, path, target)
            tally.outcomes[outcome] += 1
            worst = max(worst, beyond)
        except Exception as error:
            tally.note(error)
    large = _large_file(scale.scratch / "large")
    limit = fuzzing_cases.CONSTANT_BYTES / 2**20
    return [
        *tally.figures("files"),
        at_most("files: memory beyond twice the size", worst / 2**20, limit, "MiB"),
        at_most("a file of 24 MB: memory beyond twice its size", large / 2**20, limit, "MiB"),
    ]


def _large_file(path: Path) -> int:
    net = fm.Sequential(fm.Linear(*LARGE[:2]), fm.ReLU(), fm.Linear(*LARGE[1:]), seed=1)
    net.save(path)
    expected = net.params.copy()
    del net
    with fuzzing_cases.Meter() as meter:
        again = fm.load(path)
    if not np.array_equal(again.params, expected):
        raise RuntimeError("a model came back with other parameters")
    return meter.taken - 2 * path.stat().st_size


def _descriptions(scale: Scale) -> list[Figure]:
    rng = random.Random(SEED)
    seeds = [*fuzzing_cases.real_descriptions()]
    seeds += [text.decode("utf-8", "replace") for text in corpus("descriptions")]
    tally = Tally(collections.Counter())
    for text in _changed(seeds, fuzzing_cases.mutated_description, rng, scale):
        try:
            tally.outcomes[fuzzing_cases.try_description(text)] += 1
        except Exception as error:
            tally.note(error)
    return tally.figures("descriptions")


def _changed(seeds, change, rng: random.Random, scale: Scale) -> Iterator:  # type: ignore[no-untyped-def, type-arg]
    """The seeds unchanged, then changed ones."""
    yield from seeds
    for _ in range(scale.choose(CHANGES, 20 * CHANGES)):
        yield change(rng.choice(seeds), rng)


def _graphs(scale: Scale) -> list[Figure]:
    """The corpus of the C core, in a program without a sanitizer, which any compiler can build."""
    options = () if scale.full else ("-DFM_ONLY_ISAS=portable", "-DFM_OPTIMIZATION=-O0")
    try:
        folder = native.build(scale.scratch / "replay", "fuzz_graph", options=options)
    except Unavailable as missing:
        return [fact("descriptions for the core", "not run", str(missing))]
    inputs = sorted(_unpack("graphs", scale.scratch / "inputs").iterdir())
    command = [str(folder / "fuzz_graph"), str(scale.choose(2, 50)), *map(str, inputs)]
    done = subprocess.run(command, capture_output=True, text=True)
    counts = re.search(r"(\d+) passed, (\d+) failed", done.stdout)
    return [
        exactly("descriptions for the core: exit status", done.returncode, 0, done.stderr[:200]),
        at_least("descriptions for the core: checks", int(counts[1]) if counts else 0, 1),
    ]


# ---- guided by coverage ----


def _guided(scale: Scale) -> list[Figure]:
    targets = _targets(scale)
    seconds = CPU_HOURS * 3600 / len(targets)
    with ThreadPoolExecutor(len(targets)) as pool:
        found = list(pool.map(lambda target: _fuzz(target, seconds, scale), targets))
    hours = sum(used for _, _, used in found) / 3600
    figures = [
        exactly(f"{target.name}, guided: crashes", crashes.count, 0, f"{runs:,} runs{crashes}")
        for target, (crashes, runs, _) in zip(targets, found, strict=True)
    ]
    return [*figures, at_least("processor time of the guided runs", hours, CPU_HOURS, "hours")]


def _targets(scale: Scale) -> list[Target]:
    if importlib.util.find_spec("atheris") is None:
        raise Unavailable("atheris is not installed")
    clang = native.program("clang")
    folder = native.build(
        scale.scratch / "fuzzer", "fuzz_graph", compiler=clang, flags=FUZZER_FLAGS,
        options=("-DFM_FUZZER=ON", "-DFM_OPTIMIZATION=-O1"),
    )  # fmt: skip
    python = (sys.executable, str(Path(__file__).with_name("fuzzing_atheris.py")))
    return [
        Target("files", python, ("-max_len=20000",)),
        Target("descriptions", python, ("-max_len=8000",)),
        Target("graphs", (str(folder / "fuzz_graph"),), ("-max_len=400",)),
    ]


class Crashes:
    """Counts the failing inputs that a fuzzer wrote, and the failures without a new input.

    The fuzzer writes to a folder that is empty at first. Files are named by their contents, so in
    an old folder a crash could have the name of an earlier run's.
    """

    def __init__(self, folder: Path, kept: Path) -> None:
        folder.mkdir()
        self.folder, self.kept = folder, kept
        self.names: set[str] = set()
        self.endings: collections.Counter[int] = collections.Counter()

    def look(self, status: int) -> None:
        """Count and keep new files after a run with this exit status."""
        new = {path.name for path in self.folder.iterdir()} - self.names
        for name in new:
            self.kept.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.folder / name, self.kept)
        if status != 0 and not new:
            self.endings[status] += 1
        self.names |= new

    @property
    def count(self) -> int:
        """The sum of both."""
        return len(self.names) + self.endings.total()

    def __str__(self) -> str:
        endings = [f"{n} ended with {status}" for status, n in sorted(self.endings.items())]
        return "".join(f"; {what}" for what in [*sorted(self.names), *endings])


def _fuzz(target: Target, seconds: float, scale: Scale) -> tuple[Crashes, int, float]:
    """Run a fuzzer for some seconds of processor time, again after each crash; keep its corpus.

    Return the crashes, the number of runs and the processor time.
    """
    folder = _unpack(target.name, scale.scratch / f"{target.name}-corpus")
    crashes = Crashes(scale.scratch / f"{target.name}-crashes", CRASHES / target.name)
    prefix = f"-artifact_prefix={crashes.folder}/"
    runs, spent = 0, 0.0
    while (left := math.ceil(seconds - spent)) > 0:
        printed, status, used = _libfuzzer(target, [f"-max_total_time={left}", prefix, str(folder)])
        spent += used
        crashes.look(status)
        if "INITED" not in printed:
            raise RuntimeError(
                f"the fuzzer of {target.name} does not start: it ended with {status}\n"
                + printed[-2000:]
            )
        runs += sum(map(int, re.findall(r"number_of_executed_units: *(\d+)", printed)))
        scale.say(f"{target.name}: {crashes.count} crashes")
    merged = scale.scratch / f"{target.name}-merged"
    merged.mkdir()
    _, status, _ = _libfuzzer(target, ["-merge=1", prefix, str(merged), str(folder)])
    crashes.look(status)
    if status == 0:
        keep(target.name, merged)
    return crashes, runs, spent


def _libfuzzer(target: Target, options: list[str]) -> tuple[str, int, float]:
    """Run a fuzzer; return its output, exit status and seconds of processor time."""
    known = {"FUZZED": target.name, "PYTHONPATH": str(native.ROOT)}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [
                *target.command, *target.options, "-len_control=0", "-timeout=30",
                "-rss_limit_mb=3000", "-print_final_stats=1", *options,
            ],
            stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT, **known},
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)  # because `wait` was bypassed
        output.seek(0)
        printed = output.read().decode(errors="replace")
        return printed, process.returncode, used.ru_utime + used.ru_stime
