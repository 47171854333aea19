"""The table of the runs, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.machine import describe_machine

HEAD = """# Reinforcement learning

Seconds until 10 greedy episodes have the target as their mean return, as the mean over the seeds
that reached it, with the number of those; steps of the environment a second; and the best mean
return, averaged over all seeds. Both contestants have the same hyperparameters
([settings](../../examples/rl/settings.py)), threads, environments and evaluations; the clock stands
still during evaluations. `dqn` of fastmlp has double targets and prioritised replay, which
stable-baselines3's does not have.
"""
COLUMNS = ("task", "target", "contestant", "threads", "reached", "seconds to target",
           "steps to target", "steps a second", "best return")  # fmt: skip


def report(results: Sequence[Mapping[str, Any]], tasks: Mapping[tuple[str, str], Any]) -> str:
    """Return the text of rl.md."""
    lines = [HEAD, _row(COLUMNS), _row(["---"] * 3 + ["---:"] * (len(COLUMNS) - 3))]
    for algorithm, env in tasks:
        own = [r for r in results if (r["algorithm"], r["env"]) == (algorithm, env)]
        groups = sorted({(r["threads"], r["contestant"]) for r in own})
        for threads, contestant in groups:
            rows = [r for r in own if (r["threads"], r["contestant"]) == (threads, contestant)]
            lines.append(_row([f"{algorithm} {env}", *_figures(rows, contestant, threads)]))
        lines += [_speedup(own, algorithm, env)] if _speedup(own, algorithm, env) else []
    facts = {k: v for k, v in describe_machine().items() if v != "not installed"}
    machine = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    return "\n".join(lines) + f"\n\nMachine:\n\n{machine}\n"


def _figures(rows: Sequence[Mapping[str, Any]], contestant: str, threads: int) -> list[str]:
    solved = [r for r in rows if r["solved"] is not None]
    rate = np.mean([r["steps"] / r["seconds"] for r in rows])
    best = np.mean([r["best"] for r in rows if r["best"] is not None])
    return [
        f"{rows[0]['target']:g}", contestant, f"{threads}", f"{len(solved)} of {len(rows)}",
        _mean((r["solved"] for r in solved), 1), _mean((r["steps"] for r in solved), 0),
        f"{rate:,.0f}", f"{best:.1f}",
    ]  # fmt: skip


def _speedup(rows: Sequence[Mapping[str, Any]], algorithm: str, env: str) -> str:
    """Return a row with the ratios of both contestants, if both are there."""
    times, rates = {}, {}
    for name in ("fastmlp", "stable-baselines3"):
        own = [r for r in rows if r["contestant"] == name]
        solved = [r["solved"] for r in own if r["solved"] is not None]
        if not own:
            return ""
        times[name] = np.mean(solved) if solved else float("nan")
        rates[name] = np.mean([r["steps"] / r["seconds"] for r in own])
    faster = times["stable-baselines3"] / times["fastmlp"]
    rate = rates["fastmlp"] / rates["stable-baselines3"]
    shown = f"{faster:.1f} times sooner" if np.isfinite(faster) else ""
    return _row([f"{algorithm} {env}", "", "**ratio**", "", "", shown, "", f"{rate:.1f} times", ""])


def _mean(values: Iterable[float], digits: int) -> str:
    found = list(values)
    return f"{np.mean(found):,.{digits}f}" if found else "-"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
