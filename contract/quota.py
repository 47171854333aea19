"""The default number of threads: from affinity, control groups and OMP_NUM_THREADS."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests import process_reports, watchdog

from contract.figures import Figure, Scale, exactly, fact
from contract.quota_trees import TREES, Tree, write
from fastmlp import _core

TITLE = "Threads under quota"
ROOT = Path(__file__).parents[1]

# Values of OMP_NUM_THREADS; the largest number of threads is 1024.
ENVIRONMENT = {
    "": None, "abc": None, "0": None, "-3": None, "2abc": None, "1e3": None, ",2": None,
    "99999999999": 1024, "2,3": 2, "3": 3, " 5": 5, "4 ": 4, "+2": 2, "99999999999999999999": 1024,
}  # fmt: skip


def run(scale: Scale) -> list[Figure]:
    return [
        *_fake_groups(scale),
        *_affinity(scale),
        *_environment(scale),
        *_mounted_groups(scale),
        *_many_threads(scale),
    ]


def _wrong(figure: str, cases: dict[str, tuple[object, object]]) -> Figure:
    """The number of named (found, wanted) pairs that differ."""
    wrong = [f"{name}: got {a}, want {b}" for name, (a, b) in cases.items() if a != b]
    return exactly(f"{figure}, wrong of {len(cases)}", len(wrong), 0, "; ".join(wrong))


# ---- control groups ----


def _fake_groups(scale: Scale) -> Iterator[Figure]:
    """Copies of the kernel's files in a folder that stands for /."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cases: dict[str, tuple[object, object]] = {}
    for number, (name, tree) in enumerate(TREES.items()):
        root = scale.scratch / f"tree{number}"
        write(root, tree.files)
        wanted = min(allowed or 1, tree.cpus or allowed or 1)
        cases[name] = (_core.usable_cpus(str(root)), wanted)
        cases[f"{name}, of many processors"] = (_core.cgroup_cpus(str(root)), tree.cpus or 0)
    yield _wrong("Trees of control groups", cases)


def _mounted_groups(scale: Scale) -> Iterator[Figure]:
    """New processes that see such files as their own /proc/self/cgroup and /sys/fs/cgroup."""
    if not scale.full:
        return
    figure = "New processes under mounted quotas"
    if shutil.which("unshare") is None:
        yield fact(figure, "not run: no unshare here")
        return
    cases: dict[str, tuple[object, object]] = {}
    for number, name in enumerate(("version 2: one CPU", "version 1: half a CPU")):
        under = _mounting(scale.scratch / f"mounted{number}", TREES[name])
        try:
            cases[name] = (_threads(*under), 1)
            wins = f"OMP_NUM_THREADS wins over {name}"
            cases[wins] = (_threads(*under, OMP_NUM_THREADS="5"), 5)
        except subprocess.CalledProcessError as error:
            if not any(tool in error.stderr for tool in ("mount:", "unshare:")):
                raise
            yield fact(figure, f"not run: {error.stderr.strip().splitlines()[-1]}")
            return
    yield _wrong(figure, cases)


def _mounting(root: Path, tree: Tree) -> tuple[str, ...]:
    """The beginning of a command that runs with the tree mounted."""
    write(root, tree.files)
    script = (
        f"mount --bind {root}/sys/fs/cgroup /sys/fs/cgroup && "
        f'mount --bind {root}/proc/self/cgroup /proc/$$/cgroup && exec "$@"'
    )
    return "unshare", "--mount", "sh", "-c", script, "sh"


# ---- new processes ----

_SHOW = (sys.executable, "-c", "import fastmlp; print(fastmlp.get_num_threads())")


def _without(**more: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))} | more


def _threads(*before: str, **environment: str) -> int:
    """The default in a new process."""
    done = subprocess.run(
        [*before, *_SHOW], env=_without(**environment), capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    return int(done.stdout)


def _affinity(scale: Scale) -> Iterator[Figure]:
    if shutil.which("taskset") is None:
        yield fact("Defaults under taskset", "not run: no taskset here")
        return
    allowed = sorted(os.sched_getaffinity(0))
    quota = _core.cgroup_cpus("") or len(allowed)
    counts = range(1, len(allowed) + 1) if scale.full else (1,)
    sets = [one for n in counts for one in itertools.islice(itertools.combinations(allowed, n), 4)]
    cases: dict[str, tuple[object, object]] = {}
    for one in sets:
        bound = ("taskset", "-c", ",".join(map(str, one)))
        cases[" ".join(bound)] = (_threads(*bound), min(_core.read_cores("", one)[0], quota))
    bound = ("taskset", "-c", str(allowed[0]))
    cases["OMP_NUM_THREADS wins over taskset"] = (_threads(*bound, OMP_NUM_THREADS="5"), 5)
    yield _wrong("Defaults under taskset", cases)


def _environment(scale: Scale) -> Iterator[Figure]:
    usual = _threads()
    texts = list(ENVIRONMENT) if scale.full else ["abc", "2,3", "99999999999"]
    found = {text: _threads(OMP_NUM_THREADS=text) for text in texts}
    yield _wrong(
        "Values of OMP_NUM_THREADS",
        {repr(text): (found[text], ENVIRONMENT[text] or usual) for text in texts},
    )


# ---- more threads than cores ----


def _many_threads(scale: Scale) -> Iterator[Figure]:
    """Fits on many more threads than processors have the bits of one thread."""
    counts = (1, 3, 16, 64, 200) if scale.full else (1, 16)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    bits = {}
    for count in counts:
        code = "from contract import quota; quota.print_bits()"
        environment = _without(OMP_NUM_THREADS=str(count), PYTHONPATH=path)
        bits[count] = watchdog.run("-c", code, environment=environment)
    cases = {f"{count} threads": (bits[count], bits[1]) for count in counts[1:]}
    yield _wrong("Fits on more threads than cores", dict(cases))
    yield fact("Processors here", os.cpu_count() or 0)


def print_bits() -> None:
    """Print the results of a fit on the default number of threads."""
    _core.ignore_thread_cost(True)
    print(json.dumps(process_reports.fit(0)["bits"]))
