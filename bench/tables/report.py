"""The report on the tables in Markdown, from the raw results."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from bench.markdown import table
from bench.tables.figures import Figures, Ranking, groups
from bench.tables.goals import all_goals

ABOUT = """\
Every contestant has the settings that it ships with. A table is split 75/25 for each seed, classes
in equal shares; figures are means over the seeds, on the test rows. The error is the share of wrong
classes, or the root mean square error over the deviation of the targets. Ratios are geometric means
over the tables that both have; an error below half a wrong row counts as that.
[How it is measured](../README.md#tables).
"""


def report(
    figures: Figures, versions: Mapping[str, str], machine: Mapping[str, str],
    absent: Mapping[str, str], plots: Sequence[str],
) -> str:  # fmt: skip
    """The whole report; ``absent`` are reasons for missing results, ``plots`` names of files."""
    complete = [name for name in figures.names if figures.is_complete(name)]
    ranking = figures.ranking(complete)
    sections = [
        f"# Tables: fastmlp and others with default settings\n\nWritten by `python -m "
        f"bench.tables`: {len(figures.tables)} tables, {len(figures.seeds)} seeds.\n\n{ABOUT}",
        _section("Goals", _goals(figures)),
        _section("Summary", _summary(figures, ranking, versions)),
        *(f"![{name}]({name})\n" for name in plots),
        _section("Critical differences", _differences(ranking)),
        *(_section(f"{title} over that of each other contestant (tables with less)",
                   _pairs(figures, what, quiet))
          for title, what, quiet in (("Error", "error", False), ("Log loss", "log_loss", False),
                                     ("Wall time of a fit", "fit_wall", True))),
        _section("Error", _each(figures, "error", "{:.4f}")),
        _section("Log loss", _each(figures, "log_loss", "{:.4f}")),
        _section("Area under the ROC curve", _each(figures, "auc", "{:.4f}", most=True)),
        _section("Wall seconds of a fit, on a quiet machine",
                 _each(figures, "fit_wall", "{:.2f}", quiet=True)),
        _section("CPU seconds of a fit", _each(figures, "fit_cpu", "{:.2f}")),
        _section("Wall seconds of predicting the test rows, on a quiet machine",
                 _each(figures, "predict_wall", "{:.3f}", quiet=True)),
        _section("Machine", table(("", ""), [[k, v] for k, v in machine.items()], left=2)),
        _section("Missing results", "".join(f"- {k}: {v}\n" for k, v in absent.items())),
    ]  # fmt: skip
    return "\n".join(section for section in sections if section)


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _goals(figures: Figures) -> str:
    rows = [(g.name, g.wanted, g.reached, g.verdict) for g in all_goals(figures)]
    return table(("", "goal", "reached", ""), rows, left=4)


def _summary(figures: Figures, ranking: Ranking | None, versions: Mapping[str, str]) -> str:
    by_loss = figures.ranking([n for n in figures.names if figures.is_complete(n)], "log_loss")
    rows = []
    for name in figures.names:
        firsts = sum(_best(figures, t, "error", False) == name for t in figures.tables)
        rows.append([
            name, versions.get(name, ""), _rank(ranking, name), _rank(by_loss, name), str(firsts),
            _median(figures, name, "fit_wall", True), _median(figures, name, "fit_cpu", False),
            str(sum(map(len, figures.found[name].values()))),
        ])  # fmt: skip
    head = ["", "version", "mean rank, error", "mean rank, log loss", "tables won",
            "median wall s", "median CPU s", "fits"]  # fmt: skip
    note = "\nRanks are those among contestants with all tables and seeds.\n"
    return table(head, rows, left=2) + note if rows else ""


def _rank(ranking: Ranking | None, name: str) -> str:
    return f"{ranking.ranks[name]:.2f}" if ranking and name in ranking.ranks else ""


def _median(figures: Figures, name: str, what: str, quiet: bool) -> str:
    values = [figures.mean(name, t, what, quiet=quiet) for t in figures.tables]
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.2f}" if known else ""


def _differences(ranking: Ranking | None) -> str:
    if ranking is None:
        return ""
    same = [f"- {', '.join(names)}\n" for names in groups(ranking)]
    head = (
        f"Friedman test over {ranking.tables} tables: p = {ranking.p:.2g}. Mean ranks that differ "
        f"by less than {ranking.difference:.2f} are not significantly different (Nemenyi, 5 %)"
    )
    return f"{head}:\n\n{''.join(same)}" if same else f"{head}.\n"


def _pairs(figures: Figures, what: str, quiet: bool) -> str:
    names = figures.names
    rows = []
    for name in names:
        ratios = [None if n == name else figures.ratio(name, n, what, quiet) for n in names]
        if any(ratios):
            rows.append([name, *(f"{r.mean:.3f} ({r.wins}/{r.tables})" if r else ""
                                 for r in ratios)])  # fmt: skip
    return table(["", *names], rows) if rows else ""


def _each(figures: Figures, what: str, form: str, quiet: bool = False, most: bool = False) -> str:
    """A row for each table; the best figure is in bold."""
    rows = []
    for name in figures.tables:
        values = [figures.mean(n, name, what, quiet=quiet) for n in figures.names]
        best = _best(figures, name, what, quiet, most)
        texts = ["" if value is None else form.format(value) for value in values]
        texts = [f"**{text}**" if n == best else text
                 for n, text in zip(figures.names, texts, strict=True)]  # fmt: skip
        rows += [[name, *texts]] if best else []
    return table(["", *figures.names], rows) if rows else ""


def _best(figures: Figures, case: str, what: str, quiet: bool, most: bool = False) -> str:
    values = {n: figures.mean(n, case, what, quiet=quiet) for n in figures.names}
    known = {name: value for name, value in values.items() if value is not None}
    return (max if most else min)(known, key=known.__getitem__) if known else ""
