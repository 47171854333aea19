"""Mutants: the suite notices a changed operator or constant in the kernels.

One change at a time, drawn from those that ``mutation.py`` knows, is made in a copy of
csrc/kernels/*.inc. The AVX2 kernels are built from it, and the tests most likely to notice run
first. A mutant is killed if a test fails, crashes or does not end. Changes that the compiler
rejects, or that give the same machine code, are not counted. ``equivalent.md`` lists mutants that
no result can tell from the original, with the reason.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from contract import native
from contract.figures import Figure, Scale, Unavailable, at_least, exactly, fact
from contract.mutant_builds import Workshop
from contract.mutation import Mutant, mutants
from fastmlp import _core

TITLE = "Mutants"
KERNELS = native.ROOT / "csrc" / "kernels"
EQUIVALENT = Path(__file__).with_name("equivalent.md")
COUNT, SEED, GOAL = 260, 20260, 90.0
AT_ONCE = 2


def run(scale: Scale) -> list[Figure]:
    if "avx2" not in _core.config()["isas"]:
        raise Unavailable("no AVX2 here")
    return _drawn(scale) if scale.full else _some(scale)


def _drawn(scale: Scale) -> list[Figure]:
    drawn, listed = draw(COUNT), _listed()
    free: SimpleQueue[Workshop] = SimpleQueue()
    for i in range(AT_ONCE):
        free.put(Workshop(scale.scratch / str(i)))
    scale.say("the unchanged kernels pass")

    def judge(mutant: Mutant) -> str:
        workshop = free.get()
        try:
            verdict = workshop.verdict(mutant)
        finally:
            free.put(workshop)
        if verdict == "survived" and listed & {mutant.change(), mutant.line()}:
            verdict = "equivalent"
        scale.say(f"{verdict}: {mutant.change()}")
        return verdict

    with ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = list(pool.map(judge, drawn))
    survivors = [m for m, verdict in zip(drawn, verdicts, strict=True) if verdict == "survived"]
    possible = {name for mutant in _every() for name in (mutant.change(), mutant.line())}
    gone = exactly("listed mutants that do not exist", len(listed - possible), 0)
    return [*_figures(Counter(verdicts), survivors), gone]


def _figures(counts: Counter[str], survivors: list[Mutant]) -> list[Figure]:
    killed = sum(n for verdict, n in counts.items() if verdict.startswith("killed"))
    judged = killed + counts["survived"]
    return [
        at_least("mutants judged", judged, 200),
        *(fact(verdict, counts[verdict]) for verdict in sorted(counts)),
        at_least("killed", 100.0 * killed / judged, GOAL, "%", f"{killed} of {judged}"),
        *(fact("survivor", mutant.change()) for mutant in survivors),
    ]


def _listed() -> set[str]:
    """The entries of the list of equivalent mutants."""
    lines = EQUIVALENT.read_text().splitlines()
    return {line.removeprefix("- ") for line in lines if line.startswith("- ")}


def _every() -> list[Mutant]:
    return [mutant for path in sorted(KERNELS.glob("*.inc")) for mutant in mutants(path)]


def draw(count: int) -> list[Mutant]:
    """A random choice from all kernels that does not depend on the order of the files."""
    return random.Random(SEED).sample(_every(), count)


# The file and kind of a mutant, and test_math's name for the function that contains it.
QUICK = [("math_log.inc", "v_sub(", "log"), ("math_exp.inc", "v_fnma(", "exp")]


def _some(scale: Scale) -> list[Figure]:
    """Two mutants of the mathematics, in the smallest program that runs it."""
    survived = 0
    for name, text, function in QUICK:
        mutant = next(mutant for mutant in mutants(KERNELS / name) if mutant.text == text)
        survived += _passes(scale.scratch / f"{function}-mutant", mutant, function)
    unchanged = int(_passes(scale.scratch / "unchanged", None, QUICK[0][2]))
    return [
        exactly("the unchanged kernels pass", unchanged, 1),
        exactly("mutants that pass too", survived, 0),
    ]


def _passes(folder: Path, mutant: Mutant | None, function: str) -> bool:
    """Whether test_math passes for a function, on a copy of the core's sources."""
    shutil.copytree(native.ROOT / "csrc", folder / "csrc")
    if mutant is not None:
        (folder / "csrc" / "kernels" / mutant.path.name).write_text(mutant.source())
    flags = ["-std=gnu11", "-O1", "-ffp-contract=off", "-fno-math-errno", "-fopenmp", "-w"]
    isa = ["-DFM_ISA_AVX2", "-mavx2", "-mfma", f"-I{folder / 'csrc'}"]
    source = native.ROOT / "tests" / "c" / "test_math.c"
    program = folder / "test_math"
    native.run(
        [native.program("cc", "gcc", "clang"), *flags, *isa, str(source), "-o", str(program), "-lm"]
    )
    return subprocess.run([program, "-s", "1000003", function], capture_output=True).returncode == 0
