"""Other processes, threads and libraries: no hangs, the same bits, an unchanged host."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from tests import process_reports, watchdog

import fastmlp as fm
from contract import processes_cells as cells
from contract import processes_hosts as hosts
from contract import processes_modes, processes_predict, processes_state
from contract.figures import Figure, Scale, at_least, exactly, fact
from contract.processes_cells import Ended

TITLE = "Processes"
ROOT = Path(__file__).parents[1]

# The quick part: ways that fork or share this process. The others are in
# tests/engine/test_concurrent_fits.py.
_QUICK = (("fork", "during", "nothing"), ("threads", "during", "numpy"))


def run(scale: Scale) -> list[Figure]:
    figures = [*_cells(scale), *processes_predict.figures(scale)]
    if scale.full:  # tests/engine/test_processes.py has the quick part of the others
        figures += [*_state(), *_modes()]
    return figures


def _report(code: str, timeout: float = watchdog.TIMEOUT) -> str:
    """The output of some code in a new process, at the repository's root."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    environment["PYTHONPATH"] = path
    return watchdog.run("-c", code, environment=environment, timeout=timeout)


# ---- fits elsewhere ----


def _cells(scale: Scale) -> Iterator[Figure]:
    """All ways at all moments with all libraries, which are imported before fastmlp and used."""
    wanted = list(product(cells.WAYS, cells.MOMENTS, hosts.WORK)) if scale.full else _QUICK
    seeds = list(range(scale.choose(2, 4)))
    with fm.threads(1):
        serial = [process_reports.fit(seed)["bits"] for seed in seeds]
    verdicts: dict[str, list[str]] = {"right": [], "hung": [], "failed": [], "gave other bits": []}
    missing, parents = set(), {}
    for way, moment, host in wanted:
        if not (cells.installed(way) and hosts.installed(host)):
            missing.add(way if hosts.installed(host) else host)
            continue
        name = f"{way} {moment} a fit, beside {host}"
        verdict, why, parents[name] = _cell(way, moment, host, seeds, serial)
        verdicts[verdict].append(f"{name}{why}")
        scale.say(verdicts[verdict][-1])
    right = len(verdicts.pop("right"))
    yield at_least("Fits elsewhere that were right, cells", right, len(wanted))
    for verdict, found in verdicts.items():
        yield exactly(f"Cells that {verdict}", len(found), 0, "; ".join(found)[:500])
    during = sum(moment == "during" for _, moment, _ in wanted)
    yield _parents({name: ended for name, ended in parents.items() if ended is not None}, during)
    yield exactly("Not installed here", ", ".join(sorted(missing)) or "nothing", "nothing")


def _parents(ended: dict[str, Ended], wanted: int) -> Figure:
    """The fits during which others ran, compared with fits of as many epochs that ran alone."""
    epochs = [count for count, _ in ended.values()]
    with fm.threads(1):
        alone = cells.bits_by_epoch(epochs)
    other = [name for name, (count, bits) in ended.items() if bits != alone[count]]
    note = f"of {min(epochs, default=0)} to {max(epochs, default=0)} epochs"
    note = "; ".join([note, *(f"other bits: {name}" for name in other)])[:500]
    return at_least(
        "Fits during which others ran, right", len(ended) - len(other), wanted, note=note
    )


def _cell(
    way: str, moment: str, host: str, seeds: list[int], serial: list[str]
) -> tuple[str, str, Ended | None]:
    """The verdict, its reason, and the end of the first process's fit, if there was one."""
    code = (
        f"from contract import processes_hosts; processes_hosts.WORK[{host!r}]()\n"
        "from contract import processes_cells\n"
        f"processes_cells.cell({way!r}, {moment!r}, {host!r}, {seeds})"
    )
    try:
        found, ended = json.loads(_report(code))
    except watchdog.Hung:
        return "hung", "", None
    except AssertionError as error:
        return "failed", f": {str(error).splitlines()[-1]}", None
    return ("right" if found == serial else "gave other bits"), "", ended


# ---- the host ----


def _state() -> Iterator[Figure]:
    wanted = tuple(processes_state.PACKAGES)
    packages = tuple(package for package in wanted if processes_state.installed(package))
    found = json.loads(
        _report(
            f"from contract import processes_state\nprocesses_state.report({packages}, True)",
            timeout=10 * watchdog.TIMEOUT,
        )
    )
    yield fact("Checks of the process after import and each kind of call", found["calls"])
    changed = [f"{call}: {', '.join(what)}" for call, what in found["changed"].items()]
    note = "; ".join(changed)
    yield exactly("Kinds of calls that changed the process", len(changed), 0, note[:500])
    missing = ", ".join(sorted(set(wanted) - set(packages)))
    yield exactly("Packages whose calls were left out", missing or "none", "none")


def _modes() -> Iterator[Figure]:
    """Each mode in turn is set while OpenMP starts its threads."""
    runs, other, lost = 0, [], []
    for mode in processes_modes.modes():
        code = f"from contract import processes_modes\nprocesses_modes.report({mode!r}, True)"
        found = json.loads(_report(code))
        runs += found["runs"]
        other += found["other"]
        lost += found["lost"]
    yield fact("Runs under other floating-point modes", runs)
    yield exactly("Runs under these modes with other bits", len(other), 0, "; ".join(other)[:500])
    yield exactly("Runs that lost the host's modes", len(lost), 0, "; ".join(lost)[:500])
