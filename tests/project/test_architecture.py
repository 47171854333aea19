"""The floors of the architecture: which file may include or import which. The tables are the rules.

A file may use its own floor and those below. To move a boundary, change the table here together
with CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "src" / "fastmlp"

# ---- C: base <- simd <- kernels <- engine/ops <- engine <- fastmlp.h ----

# Files (the first matching pattern counts) -> the files of ours that they may include. The public
# header includes three others, so that each status, dtype, node or registry row is declared once.
# Operations may use the interface in engine/op.h and matrix products, but no network, team or
# workspace. Kernels may not use memory or threads, only status, CPU features and random numbers of
# the base.
C_RULES: dict[str, str] = {
    r"fastmlp\.h": r"base/status\.h|engine/node\.h|kernels/registry\.h",
    r"base/.*": r"base/.*",
    r"simd/.*": r"(avx2|avx512|neon|portable|names)\.h",
    r"kernels/(isa\.c|.*\.inc)": r"kernels/.*|simd/simd\.h|base/(status|rng|arithmetic)\.h",
    r"kernels/dispatch\.c": r"kernels/.*\.(h|def)|isa_rows\.def|base/(status|cpu)\.h",
    r"kernels/.*\.h": r"kernels/registry\.h|base/(status|rng)\.h",
    r"kernels/.*\.def": r"",
    r"engine/node\.h": r"engine/ops\.def",
    r"engine/ops\.def": r"",
    r"engine/(op|product|sparse)\..": (
        r"engine/((op|product|shards|sparse|node)\.h|ops\.def)|base/(status|topology)\.h|kernels/table\.h"
    ),
    r"engine/ops/.*": r"engine/(op|product|sparse|ops/norm|ops/linear)\.h|base/clock\.h",
    r"engine/.*": r"engine/[a-z_]+\.h|base/.*|fastmlp\.h|kernels/table\.h",
}

# Only one file may use OpenMP, one the allocator, one the floating-point modes: a text -> that
# file.
DOORS: dict[str, str] = {
    r"#\s*include\s*<omp\.h>|#\s*pragma\s+omp\b": "base/parallel.c",
    r"\b((m|c|re|aligned_)alloc|free|posix_memalign|alloca|strdup)\s*\(": "base/aligned_alloc.c",
    r"\bpthread_|<threads\.h>|<pthread\.h>": "base/parallel.c",
    r"setcsr|ldmxcsr|\bfeset|msr\s+fpcr": "base/arithmetic.c",
}

# The Cython module uses the public header; the others serve tests of random numbers, failing
# allocations, quotas and processors.
CYTHON_HEADERS = {"fastmlp.h"} | {
    f"base/{name}.h"
    for name in (
        "rng",
        "aligned_alloc",
        "convert",
        "quota",
        "ranks",
        "reducer",
        "topology",
        "work_trace",
    )
}

# ---- Python: base <- parts <- networks <- io <- training <- tabular <- outer packages <- cli ----

# Packages of fastmlp by floor. Imports go down, or stay on a floor without a circle.
PYTHON_FLOORS: list[set[str]] = [
    {"base", "_core"},
    {"data", "distributions", "layers", "losses", "optim"},
    {"networks"},
    {"io"},
    {"training"},
    {"tabular"},
    {"sklearn", "plot", "drawing", "distributed"},
    {"cli"},
]
# Imported only on first use, not by `import fastmlp`.
OUTER = set.union(*PYTHON_FLOORS[5:])
# The reference of every operation uses nothing else, so that it can judge the rest.
ALONE = "reference"
# The names that users import; outer packages may use them too.
FRONT = {"__init__", "__main__"}

# Imports from a higher floor inside a function, for convenience, loaded only when needed.
LATE_STEPS_UP = {
    ("networks", "io"),
    ("networks", "drawing"),
    ("training", "plot"),
    ("tabular", "plot"),
    ("__init__", "io"),
}
# `base/build.py` reads the version, which the package sets before it imports anything.
READS_VERSION = {"base/build.py"}

MOST_LINES = 400
LONG_FILES: set[str] = set()


def c_files():
    return sorted(p for p in CSRC.rglob("*") if p.suffix in {".c", ".h", ".inc", ".def"})


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)


def c_name(path: Path) -> str:
    return path.relative_to(CSRC).as_posix()


@pytest.mark.parametrize("path", c_files(), ids=c_name)
def test_includes_stay_on_their_floor(path):
    allowed = next((to for who, to in C_RULES.items() if re.fullmatch(who, c_name(path))), None)
    assert allowed is not None, f"{c_name(path)} is on no floor: add a rule"
    ours = re.findall(r'#\s*include\s*"([^"]+)"', without_comments(path.read_text("utf-8")))
    broken = [name for name in ours if not re.fullmatch(allowed, name)]
    assert not broken, f"{c_name(path)} may include {allowed}, not {broken}"


def test_includes_have_no_circle():
    above: dict[str, set[str]] = {}
    for path in c_files():
        ours = re.findall(r'#\s*include\s*"([^"]+)"', without_comments(path.read_text("utf-8")))
        above[c_name(path)] = {name for name in ours if (CSRC / name).exists()}
    while free := {name for name, wants in above.items() if not wants & set(above)}:
        above = {name: wants for name, wants in above.items() if name not in free}
    assert not above, f"include one another: {sorted(above)}"


@pytest.mark.parametrize("path", c_files(), ids=c_name)
def test_the_engine_names_no_operation(path):
    name, text = c_name(path), without_comments(path.read_text("utf-8"))
    if not name.startswith("engine/ops/"):
        assert not re.search(r"\bFM_OP_[A-Z]\w+|\bfm_op_(?!row|name|find)[a-z]\w*", text)


@pytest.mark.parametrize(("what", "door"), DOORS.items())
def test_one_file_uses_openmp_the_allocator_and_the_modes(what, door):
    found = {
        c_name(p) for p in c_files() if re.search(what, without_comments(p.read_text("utf-8")))
    }
    assert found == {door}


@pytest.mark.parametrize("path", c_files(), ids=c_name)
def test_c_has_no_python_no_output_and_no_exit(path):
    text = without_comments(path.read_text("utf-8"))
    assert not re.search(r"Python\.h|\bPy[A-Z]\w+\(|\b(printf|puts|abort|exit)\s*\(", text)


def bridge_files():
    """The parts of the extension module: one .pyx file that includes the others."""
    return sorted((PACKAGE / "_core").glob("*.p[yx]*"))


def test_cython_sees_the_public_header():
    text = "".join(path.read_text("utf-8") for path in bridge_files())
    assert set(re.findall(r'cdef extern from "([^"]+)"', text)) == CYTHON_HEADERS


def build_files():
    return [ROOT / "CMakeLists.txt", ROOT / "pyproject.toml", *sorted((ROOT / "cmake").glob("*"))]


def test_no_flag_lets_a_compiler_change_a_value():
    text = "".join(path.read_text("utf-8") for path in build_files())
    code = re.sub(r"#[^\n]*", "", text)
    assert not re.search(r"(?<!no-)(fast-math|unsafe-math|associative-math|reciprocal-math)", code)
    assert not re.search(r"-Ofast|finite-math-only|-mdaz-ftz|ffp-contract=(fast|on)", code)
    assert "-ffp-contract=off" in code
    assert "-fno-fast-math" in code


def test_sources_do_not_override_the_flags():
    for path in c_files():
        text = without_comments(path.read_text("utf-8"))
        assert not re.search(r"FP_CONTRACT|float_control|optimize\s*\(", text), c_name(path)


@pytest.mark.builds
def test_an_isa_exports_one_symbol(tmp_path):
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or shutil.which("nm") is None:
        pytest.skip("needs a C compiler and nm")
    out = tmp_path / "isa.o"
    options = ["-std=gnu11", "-O0", "-ffp-contract=off", "-DFM_ISA=portable", "-DFM_ISA_portable=1"]
    source = str(CSRC / "kernels" / "isa.c")
    options += ["-DFM_ISA_PORTABLE=1", f"-I{CSRC}", "-c", source, "-o", str(out)]
    subprocess.run([compiler, *options], check=True)
    listing = subprocess.run(
        ["nm", "--extern-only", "--defined-only", str(out)],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    symbols = [line.split()[-1].lstrip("_") for line in listing.splitlines()]
    assert symbols == ["fm_kernels_of_portable"]


# ---- Python ----


def python_files():
    return sorted([*PACKAGE.rglob("*.py"), *bridge_files()])


def unit_of(path: Path) -> str:
    """The package of fastmlp that a file belongs to, or its module at the top."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def cython_imports(text: str):
    for line in re.findall(r"^\s*(?:from|import)\s[^\n]+", text, flags=re.MULTILINE):
        if " cimport " in line:
            continue
        yield from imports_of(ast.parse(line.strip()), "fastmlp")


def for_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def nodes_inside(tree: ast.AST, wanted) -> set[int]:
    return {id(node) for outer in ast.walk(tree) if wanted(outer) for node in ast.walk(outer)}


def imports_of(tree: ast.AST, package: str):
    """(module, names, inside a function?) of each import, except those for type checking."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    late = nodes_inside(tree, lambda node: isinstance(node, functions))
    unread = nodes_inside(tree, for_type_checking)
    for node in ast.walk(tree):
        if id(node) in unread:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, [], id(node) in late
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *filter(None, [node.module])]) if node.level else node.module
            yield base, [alias.name for alias in node.names], id(node) in late


def imports(path: Path):
    text = path.read_text("utf-8")
    if path.suffix in {".pyx", ".pxi"}:
        return list(cython_imports(text))
    package = ".".join(["fastmlp", *path.relative_to(PACKAGE).parts[:-1]])
    return list(imports_of(ast.parse(text), package))


def exists(module: str) -> bool:
    path = PACKAGE.joinpath(*module.split("."))
    return module == "_core" or path.is_dir() or path.with_suffix(".py").exists()


def targets(path: Path):
    """(our module, inside a function?) of each import of ours; "=name" is a name of fastmlp."""
    for module, names, late in imports(path):
        first, *rest = module.split(".")
        if first != "fastmlp":
            continue
        for name in names or [""]:
            inner = ".".join([*rest, name]).strip(".")
            if name and exists(inner):
                yield inner, late
            else:
                yield ".".join(rest) or f"={name}", late


def floor_of(unit: str) -> int:
    for level, units in enumerate(PYTHON_FLOORS):
        if unit in units:
            return level
    raise AssertionError(f"{unit} is on no floor: add it to the table")


def py_name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", python_files(), ids=py_name)
def test_imports_stay_on_their_floor(path):
    unit = unit_of(path)
    if unit in FRONT | {ALONE}:
        return
    level = floor_of(unit)
    for target, late in targets(path):
        other = target.split(".")[0]
        if target.startswith("="):  # a name of the package itself
            version = target == "=__version__" and py_name(path) in READS_VERSION
            assert version or unit in OUTER, f"{py_name(path)} imports fastmlp{target}"
        elif other != unit:
            assert other != ALONE, f"{py_name(path)} imports the reference"
            fits = floor_of(other) <= level or (late and (unit, other) in LATE_STEPS_UP)
            assert fits, f"{py_name(path)} imports {target}, which is above it"


def circle_in(edges: dict[str, set[str]]) -> list[str]:
    """A path that returns to its beginning, or []."""
    done: set[str] = set()

    def walk(node: str, trail: list[str]) -> list[str]:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return []
        for other in sorted(edges.get(node, ())):
            found = walk(other, [*trail, node])
            if found:
                return found
        done.add(node)
        return []

    return next(filter(None, (walk(node, []) for node in sorted(edges))), [])


def module_of(path: Path) -> str:
    """The dotted name of a file inside fastmlp; the parts of the bridge are one module."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "_core" if parts[0] == "_core" else ".".join(parts)


def runtime_edges() -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for path in python_files():
        if unit_of(path) in FRONT | {ALONE}:
            continue
        found = {target for target, late in targets(path) if not late and target[0] != "="}
        edges.setdefault(module_of(path), set()).update(found)
    return edges


def test_modules_import_without_a_circle():
    assert not circle_in(runtime_edges())


def test_packages_of_a_floor_import_without_a_circle():
    edges: dict[str, set[str]] = {}
    for module, found in runtime_edges().items():
        unit = module.split(".")[0]
        edges.setdefault(unit, set()).update({other.split(".")[0] for other in found} - {unit})
    edges["_core"] = set()  # it needs the exceptions of base, which need nothing
    assert not circle_in(edges)


@pytest.mark.parametrize("path", sorted((PACKAGE / ALONE).glob("*.py")), ids=py_name)
def test_the_reference_stands_alone(path):
    for module, _, _ in imports(path):
        first, *rest = module.split(".")
        inside = first == "fastmlp" and rest[:1] == [ALONE]
        assert inside or first == "numpy" or first in sys.stdlib_module_names, module


def test_import_fastmlp_loads_outer_packages_on_first_use():
    for target, late in targets(PACKAGE / "__init__.py"):
        unit = target.split(".")[0]
        assert late or unit not in OUTER | {ALONE}, f"importing fastmlp imports {target}"
        assert not late or ("__init__", unit) in LATE_STEPS_UP


def test_floors_list_existing_packages():
    units = {unit_of(p) for p in python_files()} - FRONT - {ALONE}
    assert units == set().union(*PYTHON_FLOORS)


def tracked_sources():
    suffixes = {".py", ".pyx", ".pxi", ".pyi", ".c", ".h", ".inc", ".def", ".cmake", ".sh"}
    for folder in ("src", "csrc", "tests", "contract", "cmake", "bench", "examples"):
        yield from (p for p in (ROOT / folder).rglob("*") if p.suffix in suffixes)


def test_files_are_short():
    found = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in tracked_sources()
    }
    long = {name for name, lines in found.items() if lines > MOST_LINES}
    assert not long - LONG_FILES, f"more than {MOST_LINES} lines: divide"
    assert not LONG_FILES - long, "short now: take off the list"
