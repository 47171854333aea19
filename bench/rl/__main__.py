"""The benchmark of reinforcement learning: `python -m bench.rl --help`.

Runs the examples in examples/rl and stable-baselines3 with the same settings, and writes rl.md: the
wall-clock time to a stated return, and steps a second, as means over seeds. Results are kept in
rl.jsonl as soon as they are there, so a run that was stopped goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.pool import ROOT, pinned_environment
from bench.rl.table import report

EXAMPLES = ROOT / "examples" / "rl"
RESULTS = ROOT / "bench" / "results"
OURS, THEIRS = "fastmlp", "stable-baselines3"
COMPARED = {"ppo", "dqn", "sac", "td3"}  # what stable-baselines3 has
LONGEST = 3600.0  # seconds of a run


def tasks() -> dict[tuple[str, str], dict[str, Any]]:
    """The settings of all tasks, which both contestants read."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        from settings import TASKS
    finally:
        sys.path.remove(str(EXAMPLES))
    return dict(TASKS)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    path = options.out / "rl.jsonl"
    if not options.report_only:
        for request in _missing(options, path):
            result = measure(request, options.peer)
            _add(path, result)
            print(_line(result), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "rl.md").write_text(report(read(path), tasks()), "utf-8")


def read(path: Path) -> list[dict[str, Any]]:
    """All results that count: the last one of each contestant, task, seed and number of threads."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return list({_key(row): row for row in rows if "failed" not in row}.values())


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("contestant", "algorithm", "env", "seed", "threads"))


def _missing(options: argparse.Namespace, path: Path) -> Iterator[dict[str, Any]]:
    """The runs that are not in the file yet, seed by seed."""
    done = {_key(row) for row in read(path)}
    for seed in range(options.seeds):
        for algorithm, env in tasks():
            if options.only and not {algorithm, f"{algorithm}/{env}"} & set(options.only):
                continue
            for contestant in (OURS, THEIRS):
                if contestant == THEIRS and (options.peer is None or algorithm not in COMPARED):
                    continue
                request = {"contestant": contestant, "algorithm": algorithm, "env": env,
                           "seed": seed, "threads": options.threads}  # fmt: skip
                if _key(request) not in done:
                    yield request


def measure(request: dict[str, Any], peer: Path | None) -> dict[str, Any]:
    """Make one run in its own process; a failure has its reason."""
    algorithm, env, seed = request["algorithm"], request["env"], str(request["seed"])
    if request["contestant"] == OURS:
        command = [sys.executable, str(EXAMPLES / f"{algorithm}.py"), env, "--seed", seed, "--json"]
    else:
        script = str(ROOT / "bench" / "rl" / "stable_baselines.py")
        command = [str(peer), script, algorithm, env, seed, str(request["threads"])]
    facts = {**request, "date": time.strftime("%Y-%m-%d %H:%M")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LONGEST, cwd=ROOT,
            env=pinned_environment(request["threads"]),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {**facts, "failed": f"took more than {LONGEST:g} s"}
    if done.returncode != 0:
        return {**facts, "failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return {**facts, **json.loads(done.stdout.splitlines()[-1])}


def _add(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


def _line(result: dict[str, Any]) -> str:
    head = "{contestant:<18} {algorithm:<10} {env:<25} seed {seed}".format_map(result)
    if "failed" in result:
        return f"{head}  failed: {result['failed']}"
    solved = "not solved" if result["solved"] is None else f"solved in {result['solved']:.1f} s"
    return f"{head}  {solved}, {result['steps'] / result['seconds']:,.0f} steps a second"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--peer", type=Path, help="the python of an environment with stable-baselines3")
    add("--only", nargs="+", metavar="TASK", help="such as dqn or ppo/CartPole-v1; by default all")
    add("--seeds", type=int, default=5, help="runs of each task (default: %(default)s)")
    add("--threads", type=int, default=os.cpu_count(), help="of both (default: %(default)s)")
    add("--report-only", action="store_true", help="write the table from the stored results")
    add("--out", type=Path, default=RESULTS, help="folder of rl.jsonl and rl.md")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
