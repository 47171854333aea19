"""The same bits on every instruction set, thread count, build and batch.

Hundreds of configurations are trained for 50 steps or more each. The SHA-256 of weights, losses and
predictions is compared with that of one thread on the first instruction set with fused
multiply-add. The portable kernels have their own bits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial

from tests.golden import runs

from contract import bits_builds, bits_training
from contract.bits_configurations import (
    STEPS,
    Configuration,
    configurations,
    every_pair,
    pairs_of,
)
from contract.bits_training import Outcome
from contract.figures import Figure, Scale, Unavailable, at_least, exactly, fact
from fastmlp import _core

TITLE = "Bits: the same on every instruction set, thread count, compiler and batch"

THREADS = (1, 2, 3, 4, 7, 16)
COMPILERS = ("gcc", "clang")
# Each C program draws so many: every activation with every loss in both types.
C_RUNS = 208

Results = dict[Configuration, Outcome]
Every = dict[tuple[str, int], Results]


def run(scale: Scale) -> list[Figure]:
    some = list(itertools.islice(configurations(360), None if scale.full else 4))
    isas = _core.config()["isas"]
    fused = [isa for isa in isas if runs.family(isa) == "fma"]
    if not fused:
        raise Unavailable("this processor has no instruction set with fused multiply-add")
    every = dict(_everywhere(scale, some, isas))
    expected = every[fused[0], 1]
    figures = _about_the_runs(scale, some, expected)
    figures += _over_isas_and_threads(every, expected, fused)
    figures.append(_of_predictions(every))
    if scale.full:
        figures += _over_builds(scale, every, fused)
        figures += _over_architectures(scale)
    return figures


def _everywhere(
    scale: Scale, some: list[Configuration], isas: list[str]
) -> Iterator[tuple[tuple[str, int], Results]]:
    for isa, threads in itertools.product(isas, THREADS):
        yield (isa, threads), bits_training.outcomes(some, isa, threads)
        scale.say(f"{len(some)} configurations on {isa} with {threads} threads")


def _about_the_runs(scale: Scale, some: list[Configuration], expected: Results) -> list[Figure]:
    """Figures that show that the comparison means something."""
    met = set().union(*(pairs_of(configuration) for configuration in some))
    values = expected.values()
    figures = [
        at_least("configurations", len(some), scale.choose(4, 300)),
        at_least("steps of the shortest run", min(one.steps for one in values), STEPS),
        exactly("runs without a change, or with NaN", sum(not one.moved for one in values), 0),
        exactly("different hashes", len({one.hash for one in values}), len(some)),
    ]
    if scale.full:
        figures.append(exactly("pairs of choices that occur in a run", len(met), len(every_pair())))
    return figures


def _over_isas_and_threads(every: Every, expected: Results, fused: list[str]) -> list[Figure]:
    names = ", ".join(str(count) for count in THREADS)
    figures = []
    for isa in fused:
        wrong = [key for count in THREADS for key in differing(every[isa, count], expected)]
        figures.append(mismatches(f"{isa}, threads {names}", wrong))
    alone = every["portable", 1]
    wrong = [key for count in THREADS for key in differing(every["portable", count], alone)]
    figures.append(mismatches(f"portable among themselves, threads {names}", wrong))
    others = differing(alone, expected)
    return [*figures, fact("portable: configurations with other bits than with FMA", len(others))]


def _of_predictions(every: Every) -> Figure:
    found = [outcome for results in every.values() for outcome in results.values()]
    tried, wrong = (sum(getattr(one, name) for one in found) for name in ("predictions", "wrong"))
    return exactly("predictions in parts or another order, other bits", wrong, 0, f"of {tried}")


def differing(found: Results, expected: Results) -> list[Configuration]:
    """The configurations with another hash."""
    return [key for key, outcome in found.items() if outcome.hash != expected[key].hash]


def mismatches(name: str, wrong: list[Configuration]) -> Figure:
    """Their number, which must be 0; the note names the first of them."""
    return exactly(f"mismatches: {name}", len(wrong), 0, "; ".join(map(str, wrong[:3])))


def _over_builds(scale: Scale, every: Every, fused: list[str]) -> list[Figure]:
    expected, alone = every[fused[0], 1], every["portable", 1]

    def compared(compiler: str) -> Figure:
        packages = bits_builds.package(scale.scratch / compiler, compiler)
        scale.say(f"built by {compiler}")
        isas = ["portable", *fused]
        built_by, found = bits_builds.outcomes(packages, list(expected), isas, THREADS)
        wrong = [
            key
            for (isa, _), results in found.items()
            for key in differing(results, alone if isa == "portable" else expected)
        ]
        scale.say(f"{len(expected)} configurations, {built_by}")
        names = f"{', '.join(isas)}, threads {', '.join(map(str, THREADS))}"
        return mismatches(f"the package built by {built_by}, {names}", wrong)

    return [tried(f"the package built by {one}", partial(compared, one)) for one in COMPILERS]


def _over_architectures(scale: Scale) -> list[Figure]:
    """The C test programs, which run on 64-bit ARM without Python."""
    folder = scale.scratch / "programs"
    here = bits_builds.here(folder / "gcc", "gcc", C_RUNS)
    scale.say(f"{len(here)} runs of the C programs built by gcc")
    others = {
        "the C programs built by clang": partial(bits_builds.here, folder / "clang", "clang"),
        "the C programs on NEON under qemu-user": partial(bits_builds.on_arm, folder / "arm"),
    }
    figures = [
        at_least("runs of the C programs", len(here), 2 * C_RUNS, note="64-bit FNV-1a hashes"),
        exactly("different hashes of the C programs", len(set(here.values())), len(here)),
    ]
    for name, there in others.items():
        figures.append(tried(name, partial(_unlike, name, here, there)))
        scale.say(name)
    return figures


def _unlike(name: str, here: dict[str, str], there: Callable[[int], dict[str, str]]) -> Figure:
    found = there(C_RUNS)
    wrong = [run for run in here.keys() | found.keys() if here.get(run) != found.get(run)]
    note = f"of {len(here)} runs" + "".join(f"; {run}" for run in sorted(wrong)[:3])
    return exactly(f"mismatches: {name}", len(wrong), 0, note)


def tried(name: str, compare: Callable[[], Figure]) -> Figure:
    """Run a comparison; a goal that cannot be tried here counts as missed."""
    try:
        return compare()
    except Unavailable as missing:
        return Figure(f"mismatches: {name}", "not tried", "0", False, str(missing))
