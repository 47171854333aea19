"""The largest error of every function, in units in the last place (ULP).

``tests/c/test_math.c`` compares the vector code with the C library in wider types, over every
float32 and 10^8 float64 inputs. Its reference values are compared with MPFR (gmpy2) at samples and
at the largest errors. For a number y with 2^e <= \\|y\\| < 2^(e+1), an ULP is 2^(e-23) in float32
and 2^(e-52) in float64, but at least the smallest denormal. Errors are distances to the exact
value, so correct rounding has at most 0.5.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from contract import functions_mpfr, native
from contract.figures import Figure, Scale, Unavailable, at_most, exactly, fact
from fastmlp import _core

TITLE = "Accuracy of functions"

TRIGONOMETRIC = ("sin", "cos")
ELEMENTARY = ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf")
COMPOSED = ("gelu", "gelu_tanh", "silu", "mish")
DERIVATIVES = (*COMPOSED, "sigmoid", "tanh", "softplus")
CONTRACTED = len(TRIGONOMETRIC) + len(ELEMENTARY) + len(COMPOSED) + len(DERIVATIVES)
ORACLE_ERROR = {32: 1e-4, 64: 0.02}  # ULP


class Line(NamedTuple):
    """The program's results for one function and precision."""

    name: str
    bits: int
    ulp: float
    input: float
    hash: str
    failed: bool


ROW = re.compile(
    r"^(?P<name>\w+) +f(?P<bits>\d\d)(?: +(?P<ulp>\S+) ULP at (?P<input>\S+) +\S+ ns)?"
    r"  (?P<hash>[0-9a-f]{16})(?P<failed>  FAILED)?$",
    re.MULTILINE,
)
EXACT = re.compile(r"^  exact (\w+) f(\d\d) (\S+) (\S+)$", re.MULTILINE)


def run(scale: Scale) -> list[Figure]:
    """Every function on the best instruction set; the others must have the same bits."""
    isas = [isa for isa in _core.config()["isas"] if isa != "portable"]
    if not isas:
        raise Unavailable("this processor has no instruction set with fused multiply-add")
    if scale.full and not functions_mpfr.AVAILABLE:
        raise Unavailable("gmpy2 is not installed")
    programs = native.build(scale.scratch / "build", *(f"test_math_{isa}" for isa in isas))
    stride, points = scale.choose(1 << 18, 1), scale.choose(1 << 15, 10**8)
    reach = ["-s", str(stride), "-n", str(points)]
    best = programs / f"test_math_{isas[-1]}"
    text = _output(scale, best, *reach, "-c", str(scale.choose(20, 2000)))
    lines = _lines(text)
    figures = [_judged(line) for line in lines if _goal(line.name, line.bits) is not None]
    figures.append(exactly("functions checked, in two types", len(figures), 2 * CONTRACTED))
    figures.append(fact("inputs, of float32 one in", stride, f"and {points:,} of float64"))
    figures.append(exactly("functions beyond the program's bounds", _failed(lines), 0))
    for isa in isas[:-1]:
        others = _lines(_output(scale, programs / f"test_math_{isa}", *reach, "-b"))
        figures.append(_same_bits(isas[-1], lines, isa, others))
    return figures + _oracle(text)


def _output(scale: Scale, program: Path, *arguments: str) -> str:
    """The output of the program. Its exit status 1 means that a line exceeds its bound."""
    scale.say(f"{program.name} {' '.join(arguments)}")
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout.endswith(" failed\n"):
        raise RuntimeError(f"{program} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _lines(text: str) -> list[Line]:
    return [
        Line(row["name"], int(row["bits"]), float(row["ulp"] or "nan"),
             float(row["input"] or "nan"), row["hash"], row["failed"] is not None)
        for row in ROW.finditer(text)
    ]  # fmt: skip


def _goal(name: str, bits: int) -> float | None:
    """The contract's bound in ULP; None if the contract does not name the function."""
    function = name.removesuffix("_slope")
    if name in TRIGONOMETRIC:
        return 1.0
    if name in ELEMENTARY:
        return 1.0 if bits == 32 else 1.5
    if function in (COMPOSED if name == function else DERIVATIVES):
        return 2.0 if bits == 32 else 1.5
    return None


def _judged(line: Line) -> Figure:
    goal = _goal(line.name, line.bits)
    assert goal is not None
    name = line.name.replace("_slope", "'")
    return at_most(f"{name}, float{line.bits}", line.ulp, goal, "ULP", f"at {line.input!r}")


def _failed(lines: list[Line]) -> int:
    return sum(line.failed for line in lines)


def _same_bits(isa: str, lines: list[Line], other: str, others: list[Line]) -> Figure:
    hashes = {(line.name, line.bits): line.hash for line in others}
    differ = [line for line in lines if hashes.get((line.name, line.bits)) != line.hash]
    name = f"functions of {len(lines)} with other bits on {other} than on {isa}"
    return exactly(name, len(differ), 0, ", ".join(line.name for line in differ))


def _oracle(text: str) -> list[Figure]:
    """The distance between the program's reference values and MPFR's."""
    samples = EXACT.findall(text)
    if not functions_mpfr.AVAILABLE:
        return [fact("exact values compared with MPFR", 0, "gmpy2 is not installed")]
    errors: dict[int, list[float]] = {32: [], 64: []}
    for name, bits, x, y in samples:
        errors[int(bits)].append(functions_mpfr.error(name, int(bits), x, y))
    return [fact("exact values compared with MPFR", len(samples))] + [
        at_most(f"their largest error, float{bits}", max(found), ORACLE_ERROR[bits], "ULP")
        for bits, found in errors.items()
    ]
