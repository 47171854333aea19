"""Trees of files that describe the control groups of a process, and the CPUs they allow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tree:
    """``cpus`` is None for no limit; a file that is None is a folder."""

    cpus: int | None
    files: dict[str, str | bytes | None]


def write(root: Path, files: dict[str, str | bytes | None]) -> None:
    """Write the files below ``root``."""
    (root / "proc/self").mkdir(parents=True)
    (root / "sys/fs/cgroup").mkdir(parents=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def _v2(group: str, **maxima: str) -> dict[str, str | bytes | None]:
    """Version 2: the group of the process, and ``cpu.max`` of some groups; ``_`` stands for /."""
    files: dict[str, str | bytes | None] = {"proc/self/cgroup": f"0::{group}\n"}
    for place, text in maxima.items():
        files[f"sys/fs/cgroup/{place.replace('_', '/')}/cpu.max"] = text
    return files


def _v1(line: str, **quotas: tuple[str, str]) -> dict[str, str | bytes | None]:
    """Version 1: a line of /proc/self/cgroup, and the quotas and periods of some groups."""
    files: dict[str, str | bytes | None] = {"proc/self/cgroup": line}
    for place, (quota, period) in quotas.items():
        folder = f"sys/fs/cgroup/cpu/{place.replace('_', '/')}"
        files[f"{folder}/cpu.cfs_quota_us"] = quota
        files[f"{folder}/cpu.cfs_period_us"] = period
    return files


_CPU_V1 = "4:cpu,cpuacct:/a/b\n3:memory:/\n"

TREES: dict[str, Tree] = {
    "no files": Tree(None, {}),
    "an empty list of groups": Tree(None, {"proc/self/cgroup": ""}),
    "version 2: one CPU": Tree(1, _v2("/", _="100000 100000\n")),
    "version 2: no quota": Tree(None, _v2("/a", a="max 100000\n")),
    "version 2: half a CPU": Tree(1, _v2("/a", a="50000 100000\n")),
    "version 2: a hundredth": Tree(1, _v2("/a", a="1000 100000\n")),
    "version 2: one and a half": Tree(2, _v2("/a", a="150000 100000\n")),
    "version 2: exactly three": Tree(3, _v2("/a", a="300000 100000\n")),
    "version 2: more than there are": Tree(4096, _v2("/a", a="409600000 100000\n")),
    "version 2: other period": Tree(2, _v2("/a", a="20000 10000\n")),
    "version 2: no end of line": Tree(2, _v2("/a", a="200000 100000")),
    "version 2: the parent is tighter": Tree(
        1, _v2("/a/b", a="100000 100000", a_b="900000 100000")
    ),
    "version 2: the child is tighter": Tree(2, _v2("/a/b", a="900000 100000", a_b="200000 100000")),
    "version 2: only the root's": Tree(2, _v2("/a/b/c", _="200000 100000")),
    "version 2: a grandparent's": Tree(3, _v2("/a/b/c", a="300000 100000", a_b="max 100000")),
    "version 2: somebody else's": Tree(None, _v2("/a", b="100000 100000")),
    "version 2: file missing": Tree(None, _v2("/a")),
    "version 2: file empty": Tree(None, _v2("/a", a="")),
    "version 2: garbage": Tree(None, _v2("/a", a="few many\n")),
    "version 2: one number": Tree(None, _v2("/a", a="100000\n")),
    "version 2: negative": Tree(None, _v2("/a", a="-1 100000\n")),
    "version 2: period of zero": Tree(None, _v2("/a", a="100000 0\n")),
    "version 2: out of range": Tree(2**31 - 1, _v2("/a", a="99999999999999999999 1\n")),
    "version 2: a folder": Tree(None, {**_v2("/a"), "sys/fs/cgroup/a/cpu.max": None}),
    "version 2: bytes": Tree(
        None, {**_v2("/a"), "sys/fs/cgroup/a/cpu.max": bytes(range(256)) * 40}
    ),
    "version 2: outside the namespace": Tree(1, _v2("/../../x", _="100000 100000")),
    "version 1: no quota": Tree(None, _v1(_CPU_V1, a_b=("-1\n", "100000\n"))),
    "version 1: two CPUs": Tree(2, _v1(_CPU_V1, a_b=("200000\n", "100000\n"))),
    "version 1: half a CPU": Tree(1, _v1(_CPU_V1, a_b=("50000\n", "100000\n"))),
    "version 1: the parent is tighter": Tree(
        1, _v1(_CPU_V1, a=("100000", "100000"), a_b=("400000", "100000"))
    ),
    "version 1: the root of a container": Tree(
        2, _v1("4:cpu,cpuacct:/docker/0123\n", _=("200000", "100000"))
    ),
    "version 1: the controllers the other way round": Tree(
        2, _v1("4:cpuacct,cpu:/a\n", a=("200000", "100000"))
    ),
    "version 1: a group of cpuset's": Tree(
        None, _v1("5:cpuset:/a\n4:cpu:/b\n", a=("100000", "100000"), b=("-1", "100000"))
    ),
    "version 1: a group of cpuacct's": Tree(
        None, _v1("5:cpuacct:/a\n", a=("100000", "100000"))
    ),
    "version 1: garbage": Tree(None, _v1(_CPU_V1, a_b=("many", "few"))),
    "version 1: period missing": Tree(
        None, {"proc/self/cgroup": _CPU_V1, "sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us": "100000"}
    ),
    "both versions": Tree(
        1, {**_v1("1:cpu:/a\n0::/b\n", a=("100000", "100000")),
            "sys/fs/cgroup/b/cpu.max": "300000 100000"}
    ),
    "lines without colons": Tree(None, {"proc/self/cgroup": "garbage\n\n:\n::\n"}),
    "bytes for the list of groups": Tree(None, {"proc/self/cgroup": bytes(range(256)) * 64}),
    "a list of groups without an end": Tree(None, {"proc/self/cgroup": "0::/" + "a" * 20000}),
}  # fmt: skip
