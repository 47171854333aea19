"""The C test programs under sanitizers: no bad access, leak, undefined behaviour or race.

Every program of tests/c runs on each instruction set of the machine and on several threads. Each
sanitizer must first find known faults (tests/c/faults.c); otherwise its silence would prove
nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from contract import native
from contract.figures import Figure, Scale, Unavailable, at_least, exactly, fact

TITLE = "Sanitizers"

QUICK_PROGRAM = "test_trainers"
NOT_SUPPORTED = 77  # exit status of if_supported: this processor does not have the instruction set
# test_math takes every so many-th float32, and fewer float64: it computes in long double, which is
# slow under valgrind.
MATH_STRIDE = {"valgrind": "40000003"}
USUAL_STRIDE, POINTS = "1048573", "4096"


@dataclass(frozen=True)
class Sanitizer:
    """How to build for one sanitizer, how its reports look, and the known faults it must report."""

    reports: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Build:
    """One build of the programs, under sanitizers that can be combined."""

    name: str
    compiler: str
    flags: str
    sanitizers: dict[str, Sanitizer]
    environment: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()


# LLVM's OpenMP runtime loses some of its tables when a team grows; this is not our leak.
LEAK = r"leak of .*\n +#0 .*\n +#1 "
OWN_LEAK, LEAK_OF_RUNTIME = rf"{LEAK}(?!.*/libomp\.so)", rf"{LEAK}.*/libomp\.so"
ADDRESS = Sanitizer(rf"ERROR: AddressSanitizer|{OWN_LEAK}", ("overrun", "leak"))
UNDEFINED = Sanitizer(r"runtime error: ", ("overflow",))
THREAD = Sanitizer(r"WARNING: ThreadSanitizer", ("race",))
MEMCHECK = Sanitizer(r"ERROR SUMMARY: [1-9]", ("overrun", "leak", "undefined value"))

ADDRESS_FLAGS = "-fsanitize=address,undefined -fsanitize=float-cast-overflow -g"
ADDRESS_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "LSAN_OPTIONS": "exitcode=0",  # leaks are counted in the output, not taken from the exit status
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
# Otherwise gcc needs a quarter of an hour for instrumented kernels.
LIGHTLY = ("-DFM_OPTIMIZATION=-O1",)
BOTH = {"ASan and LSan": ADDRESS, "UBSan": UNDEFINED}
QUICK = (
    Build("clang", "clang", "-fsanitize=address -g1", {"ASan and LSan": ADDRESS}, ADDRESS_OPTIONS),
    Build("gcc", "gcc", "-fsanitize=address -g1", {"ASan and LSan": ADDRESS}, ADDRESS_OPTIONS),
)
QUICK_OPTIONS = ("-DFM_ONLY_ISAS=portable", "-DFM_OPTIMIZATION=-O0")
BUILDS = (
    Build("gcc", "gcc", ADDRESS_FLAGS, BOTH, ADDRESS_OPTIONS, LIGHTLY),
    Build("clang", "clang", ADDRESS_FLAGS, BOTH, ADDRESS_OPTIONS, LIGHTLY),
    Build(
        "clang with Archer",
        "clang",
        "-fsanitize=thread -g",
        {"TSan": THREAD},
        {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1", "ARCHER_OPTIONS": "verbose=1"},
    ),
    Build(
        "portable kernels",
        "gcc",
        "-g",
        {"Valgrind": MEMCHECK},
        options=("-DFM_ONLY_ISAS=portable",),
        runner=(
            "valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite",
            "--show-leak-kinds=definite", "--fair-sched=yes", "--error-exitcode=9", "-s",
        ),
    ),
)  # fmt: skip


@dataclass
class Runs:
    """The output of all programs of one build."""

    programs: int = 0
    checks: int = 0
    failures: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, reports: str) -> int:
        """The number of reports that match."""
        return sum(len(re.findall(reports, text)) for text in self.printed)


def run(scale: Scale) -> list[Figure]:
    """Run all programs under all sanitizers; the quick part is one program under the first one."""
    figures = [exactly("functions of fastmlp.h that no program calls", *_uncalled())]
    if not scale.full:
        return figures + _first_possible(scale)
    for build in BUILDS:
        try:
            figures += _figures_of(build, scale)
        except Unavailable as missing:
            figures += [
                exactly(f"{name}, {build.name}", "not run", "run", str(missing))
                for name in build.sanitizers
            ]
    return figures


def _first_possible(scale: Scale) -> list[Figure]:
    """The quick part, with the first compiler that supports it."""
    problems = []
    for build in QUICK:
        try:
            return _figures_of(build, scale)
        except Unavailable as missing:
            problems.append(str(missing))
    raise Unavailable("; ".join(problems))


def _uncalled() -> tuple[int, int, str]:
    """How many functions of the C API no test program calls, the goal, and their names."""
    csrc, programs = native.ROOT / "csrc", native.ROOT / "tests" / "c"
    headers = (csrc / "fastmlp.h").read_text() + (csrc / "kernels" / "registry.h").read_text()
    declared = set(re.findall(r"^[a-z][\w \t*]*?\b(fm_\w+)\([^;]*;", _bare(headers), re.MULTILINE))
    text = "".join(_bare(path.read_text()) for path in sorted(programs.glob("*.[ch]")))
    missing = sorted(name for name in declared if not re.search(rf"\b{name}\(", text))
    if not declared:
        raise RuntimeError("fastmlp.h declares no function that this script can read")
    return len(missing), 0, ", ".join(missing) or f"of {len(declared)}"


def _bare(text: str) -> str:
    """C without comments and without function types, which look like functions."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return re.sub(r"^typedef [^{;]*;", "", text, flags=re.MULTILINE)


def _figures_of(build: Build, scale: Scale) -> list[Figure]:
    native.program(build.compiler)
    for command in build.runner[:1]:
        native.program(command)
    folder = _built(build, scale)
    _check_faults(build, folder)
    runs = Runs()
    start = time.monotonic()
    for command in _commands(build, folder, scale):
        scale.say(f"{build.name}: {Path(command[-1]).name}")
        _enter(build, command, runs)
    runs.seconds = time.monotonic() - start
    figures = [
        exactly(f"{name}, {build.name}: reports", runs.count(sanitizer.reports), 0)
        for name, sanitizer in build.sanitizers.items()
    ]
    figures.append(
        exactly(
            f"{build.name}: programs that failed",
            len(runs.failures),
            0,
            "; ".join(runs.failures) or f"of {runs.programs}",
        )
    )
    figures.append(at_least(f"{build.name}: checks", runs.checks, 1))
    figures.append(fact(f"{build.name}: seconds", round(runs.seconds)))
    if ADDRESS in build.sanitizers.values():
        known = runs.count(LEAK_OF_RUNTIME)
        figures.append(fact(f"{build.name}: leaks inside the OpenMP runtime, not counted", known))
    return figures


def _built(build: Build, scale: Scale) -> Path:
    """Build the programs; Unavailable if the compiler lacks the sanitizer or OpenMP."""
    targets = () if scale.full else (QUICK_PROGRAM, "faults")
    options = build.options if scale.full else QUICK_OPTIONS
    if "-fsanitize" in build.flags:
        _try_compiler(build, scale)
    scale.say(f"{build.name}: building")
    return native.build(
        scale.scratch / build.name.replace(" ", "-"),
        *targets,
        compiler=build.compiler,
        flags=build.flags,
        options=options,
    )


def _try_compiler(build: Build, scale: Scale) -> None:
    source = scale.scratch / "empty.c"
    source.write_text("#include <omp.h>\nint main(void) { return omp_get_thread_num(); }\n")
    program = scale.scratch / "empty"
    command = [build.compiler, *build.flags.split(), "-fopenmp", str(source), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0 or subprocess.run([program], env=_environment(build)).returncode != 0:
        problem = (done.stderr.strip().splitlines() or ["a program built so does not run"])[-1]
        raise Unavailable(f"{build.compiler} {build.flags} -fopenmp: {problem}")


def _environment(build: Build) -> dict[str, str]:
    return {**os.environ, **build.environment}


def _check_faults(build: Build, folder: Path) -> None:
    """The known faults must be reported; threads that only wait for each other must not."""
    for sanitizer in build.sanitizers.values():
        for fault in sanitizer.faults:
            if not re.search(sanitizer.reports, _printed(build, [str(folder / "faults"), fault])):
                raise RuntimeError(f"{build.name}: {fault} was not reported")
    text = _printed(build, [str(folder / "faults"), "ordered"])
    for sanitizer in build.sanitizers.values():
        if re.search(sanitizer.reports, text):
            raise Unavailable(f"{build.name}: this sanitizer does not understand OpenMP here")
    if "ARCHER_OPTIONS" in build.environment and "Archer detected" not in text:
        raise Unavailable("libarcher of the LLVM OpenMP runtime is not loaded")


def _printed(build: Build, command: list[str]) -> str:
    done = subprocess.run(
        [*build.runner, *command], capture_output=True, text=True, env=_environment(build)
    )
    return done.stdout + done.stderr


def _commands(build: Build, folder: Path, scale: Scale) -> Iterator[list[str]]:
    if not scale.full:
        yield [str(folder / QUICK_PROGRAM)]
        return
    stride = MATH_STRIDE.get(build.runner[0] if build.runner else "", USUAL_STRIDE)
    for program in sorted(folder.glob("test_*")):
        if not program.is_file() or not os.access(program, os.X_OK):
            continue
        own = re.match(r"test_(simd|math)_(\w+)", program.name)
        first = [str(folder / "if_supported"), own[2]] if own else []
        last = ["-s", stride, "-n", POINTS] if own and own[1] == "math" else []
        yield [*first, str(program), *last]


def _enter(build: Build, command: list[str], runs: Runs) -> None:
    done = subprocess.run(
        [*build.runner, *command], capture_output=True, text=True, env=_environment(build)
    )
    if done.returncode == NOT_SUPPORTED:
        return
    printed = done.stdout + done.stderr
    runs.programs += 1
    runs.printed.append(printed)
    counts = re.findall(r"^(?:(\d+) passed, )?(\d+) failed$", done.stdout, re.MULTILINE)
    runs.checks += sum(int(passed or 0) for passed, _ in counts)
    if done.returncode != 0 or not counts:
        lines = (done.stderr.strip() or printed.strip()).splitlines()
        name = next(Path(word).name for word in command if "/test_" in word)
        runs.failures.append(f"{name} ended with {done.returncode}: {' / '.join(lines[:2])}")
