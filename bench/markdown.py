"""The report in Markdown, from the raw results."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from bench.cells import CELLS, CLIFF, FAMILIES, Cell
from bench.contestants import CONTESTANTS, OURS
from bench.figures import fastest_peer, ratio_to_fastest, share_of_limit, worst_falls
from bench.fitters import FITTERS
from bench.goals import all_goals

REASONS = ("missing", "unsupported", "failed")
# Title of a table of cells, the kinds and the groups in it.
CELL_TABLES = [
    ("Training step, microseconds", ("train",), ("core", "more")),
    ("Prediction, microseconds", ("predict",), ("core", "more")),
    ("bfloat16, microseconds", ("train", "predict"), ("bfloat16",)),
    ("Frozen prediction, microseconds", ("predict",), ("frozen",)),
    ("Graphs, microseconds", ("train", "predict"), ("graph",)),
    ("Groups and folds, microseconds", ("train", "predict"), ("blocks",)),
]


def markdown(found: dict[str, Any], plots: Sequence[str]) -> str:
    """The whole report; ``plots`` are the names of picture files beside it."""
    machine = found["machine"]
    facts = f"{machine.get('processor', 'unknown processor')}, commit {machine.get('commit', '?')}"
    sections = [
        f"# Benchmarks: {facts}\n\nWritten by `python -m bench.report`; see `bench/README.md`.\n",
        _notice(found),
        _section("Goals", _goals(found)),
        *(f"![{name}]({name})\n" for name in plots),
        *(_section(title, _cells(found, *which)) for title, *which in CELL_TABLES),
        _section("Adjacent sizes (fastmlp)", _families(found)),
        _section("Whole fits with Adam: seconds (test accuracy or R²)", _fits(found)),
        _section("Test scores in bfloat16: accuracy or R², means over seeds", _accuracy(found)),
        _section("Peak memory of training steps, MB", _memory(found)),
        _section("Import, milliseconds of a process", _imports(found)),
        _section("On a busy machine, microseconds of a training step", _busy(found)),
        _section("Limits", _limits(found)),
        _section("Machine and versions", _pairs(machine)),
        _section("When each part was measured", _groups(found)),
        _section("Missing results and their reasons", _absent(found)),
    ]
    return "\n".join(section for section in sections if section)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table; the first ``left`` columns hold text, the others numbers."""
    marks = ["---"] * left + ["---:"] * (len(head) - left)
    lines = [head, marks, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _notice(found: dict[str, Any]) -> str:
    words = []
    if found.get("quick"):
        words.append("A quick run: the figures are rough.")
    if not found.get("complete"):
        words.append("An unfinished run.")
    return "".join(f"**{word}**\n" for word in words)


def _goals(found: dict[str, Any]) -> str:
    rows = [(g.name, g.wanted, g.reached or "", g.verdict) for g in all_goals(found)]
    return table(("", "goal", "reached", ""), rows, left=4)


def _cells(found: dict[str, Any], kinds: Sequence[str], groups: Sequence[str]) -> str:
    measured = found.get("cells", {})
    cells = [c for c in CELLS if c.kind in kinds and c.group in groups and c.name in measured]
    names = [name for name, row in CONTESTANTS.items() if any(map(row.runs, cells))]
    head = ["cell", *names, "over the fastest peer", "GFLOP/s", "share of the limit"]
    rows = [_cell_row(found, cell, names, len(kinds) == 1) for cell in cells]
    note = "In parentheses: the number of threads that was faster, if a peer was timed with two "
    note += "numbers. The fastest peer is in bold.\n"
    return f"{table(head, rows)}\n{note}" if rows else ""


def _cell_row(found: dict[str, Any], cell: Cell, names: Sequence[str], one_kind: bool) -> list[str]:
    results = found["cells"][cell.name]
    best = fastest_peer(results)
    texts = []
    for name in names:
        text = _time_text(results.get(name, {}))
        texts.append(f"**{text}**" if best and best[0] == name else text)
    ratio, share = ratio_to_fastest(found, cell.name), share_of_limit(found, cell)
    seconds = results.get(OURS, {}).get("seconds")
    rate = f"{cell.flops / seconds / 1e9:.1f}" if seconds else ""
    name = cell.name.removeprefix(f"{cell.kind} " if one_kind else "")
    return [name, *texts, _or_empty(ratio, "{:.2f}x"), rate, _or_empty(share, "{:.1%}")]


def _time_text(result: dict[str, Any]) -> str:
    if "seconds" not in result:
        return next((reason for reason in REASONS if reason in result), "")
    choice = f" ({result['threads']})" if len(result["tried"]) > 1 else ""
    return f"{1e6 * result['seconds']:.4g}{choice}"


def _or_empty(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _families(found: dict[str, Any]) -> str:
    rows = []
    for name, cells in FAMILIES.items():
        results = found.get("families", {}).get(name, {})
        falls = worst_falls(cells, results)
        for cell in cells if falls else []:
            seconds = results[cell.name]["seconds"]
            verdict = "pass" if falls[cell.name] <= CLIFF else "FAIL"
            rate = f"{cell.flops / seconds / 1e9:.1f}"
            rows.append(
                (cell.name, f"{1e6 * seconds:.4g}", rate, f"{falls[cell.name]:.1%}", verdict)
            )
    return table(("cell", "us", "GFLOP/s", "below an adjacent size", ""), rows) if rows else ""


def _fits(found: dict[str, Any]) -> str:
    names = list(FITTERS)
    rows, notes = [], []
    for task, results in found.get("fits", {}).items():
        if "missing" in results:
            notes.append(f"{task}: {results['missing']}.\n")
            continue
        rows.append([task, *(_fit_text(results.get(name, {})) for name in names)])
    if not rows and not notes:
        return ""
    note = "JAX's time excludes compilation, which is given separately.\n"
    return "\n".join([table(["", *names], rows) if rows else "", note, *notes])


def _fit_text(result: dict[str, Any]) -> str:
    if "seconds" not in result:
        return next((reason for reason in REASONS if reason in result), "")
    compiling = f", compiling {result['compile']:.2f} s" if result["compile"] else ""
    return f"{result['seconds']:.3f} ({result['score']:.4f}{compiling})"


def _accuracy(found: dict[str, Any]) -> str:
    rows = []
    for task, scores in found.get("accuracy", {}).items():
        reason = next((f"{kind}: {scores[kind]}" for kind in REASONS if kind in scores), "")
        means = [f"{statistics.mean(values):.4f}" for values in scores.values() if not reason]
        spread = "" if reason else f"{statistics.stdev(scores['float32']):.4f}"
        rows.append([task, *(means or [reason, ""]), spread])
    head = ["", "float32", "bfloat16", "float32, deviation between seeds"]
    return table(head, rows) if rows else ""


def _memory(found: dict[str, Any]) -> str:
    measured = found.get("memory", {})
    names = list(dict.fromkeys(name for row in measured.values() for name in row))
    rows = []
    for cell, row in measured.items():
        values = [row.get(name, "") for name in names]
        texts = [f"{v / 1e6:.1f}" if isinstance(v, int) else "-" for v in values]
        ours = row.get(OURS)
        times = f"{ours / row['minimum']:.2f}" if isinstance(ours, int) else ""
        rows.append([cell, *texts, times])
    head = ["cell", *names, "fastmlp over the minimum"]
    note = "The minimum: weights, gradients, optimizer state and saved activations.\n"
    return f"{table(head, rows)}\n{note}" if rows else ""


def _imports(found: dict[str, Any]) -> str:
    rows = [(name, f"{1e3 * value:.0f}") for name, value in found.get("imports", {}).items()]
    text = table(("", "ms"), rows) if rows else ""
    wheel = found.get("wheel")
    return text + (f"\nThe wheel has {wheel / 1e6:.2f} MB.\n" if wheel else "")


def _limits(found: dict[str, Any]) -> str:
    limits = found.get("limits", {})
    rows = [
        (name, f"{value / 1e9:.1f} {'GB/s' if name.startswith('copy') else 'GFLOP/s'}")
        for name, value in limits.items()
    ]
    for when in ("before", "after"):
        if seconds := found.get(f"round trip, limits {when}"):
            rows.append((f"signal to another thread and back, {when}", f"{1e9 * seconds:.0f} ns"))
    return table(("", ""), rows) if rows else ""


def _busy(found: dict[str, Any]) -> str:
    busy = found.get("busy", {})
    rows = [
        [name, str(count), f"{1e6 * seconds:.4g}"]
        for name, values in busy.items()
        if isinstance(values, dict) and name != "side by side"
        for count, seconds in values.items()
    ]
    note = "Means, of 128, 784-256-128-10; a large step is 256, 1024x4; with an own loss and by "
    note += "hand it is 64, 4-256-256-2 (bench/busy.py describes the loads). Time of simultaneous "
    note += "fits with all threads each, relative to one thread each: "
    note += ", ".join(f"{r:.2f}x in {kind}" for kind, r in busy.get("side by side", {}).items())
    return f"{table(['', 'threads', 'us'], rows)}\n{note}.\n" if rows else ""


def _pairs(facts: dict[str, str]) -> str:
    return table(("", ""), [(name, value or " ") for name, value in facts.items()], left=2)


def _groups(found: dict[str, Any]) -> str:
    rows = [
        (name, facts["commit"], facts["date"], f"{facts['seconds'] / 60:.1f}")
        for name, facts in found.get("groups", {}).items()
    ]
    if not rows:
        return ""
    total = sum(facts["seconds"] for facts in found["groups"].values()) / 60
    rows.append(("together", "", "", f"{total:.1f}"))
    return table(("", "commit", "date", "minutes"), rows, left=3)


def _absent(found: dict[str, Any]) -> str:
    """The missing results and their reasons; cells with the same reason share a line."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for part in ("cells", "fits", "families"):
        for where, results in found.get(part, {}).items():
            for name, result in results.items():
                for kind in REASONS:
                    if isinstance(result, dict) and kind in result:
                        text = (result[kind].strip().splitlines() or [""])[-1]
                        reasons.setdefault((name, kind, text), []).append(where)
    lines = []
    for (name, kind, text), places in reasons.items():
        where = f"{len(places)} places" if len(places) > 4 else "; ".join(places)
        lines.append(f"- {name}, {kind}: {text} ({where})\n")
    return "".join(lines)
