"""A report as one HTML page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from fastmlp.tabular.report.content import ColumnReport, Report, shown
from fastmlp.tabular.report.pictures import pictures
from fastmlp.tabular.scores import BASELINES

MOST_COLUMNS = 500  # in the table of columns
LONGEST_CELL = 200

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem 1.2rem .2rem 0;
  border-bottom: 1px solid #ddd; vertical-align: top; overflow-wrap: anywhere; }
.columns th, .columns td:nth-child(2) { white-space: nowrap; overflow-wrap: normal; }
.columns td:first-child { min-width: 11rem; } .columns td:nth-child(3) { min-width: 12rem; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
th { font-weight: 600; } .warning { color: #b04a00; } .quiet, figcaption { color: #666; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
figure { margin: 0; width: min(29rem, 100%); } img { max-width: 100%; height: auto; }
"""


def page(report: Report) -> str:
    """Return the page."""
    parts = [
        f"<h1>{_text(report.title)}</h1>",
        "<h2>Scores</h2>",
        f"<p>On {len(report.true):,} {_text(report.rows)}.</p>",
        _scores(report),
        "<h2>Training</h2>",
        _table(["", ""], [(name, text) for name, text in report.facts.items()], head_row=False),
    ]
    drawn = pictures(report)
    figures = "".join(_figure(caption, uri) for caption, uri in drawn)
    parts += ["<h2>Pictures</h2>", f'<div class="pictures">{figures}</div>']
    parts += ["<h2>Columns</h2>", _columns(report.columns)]
    if report.left_out:
        parts += ["<h2>Columns left out</h2>", _left_out(report)]
    return _document(report.title, parts)


def _document(title: str, parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _scores(report: Report) -> str:
    names = list(report.scores)
    rows = [
        ("fastmlp", *(shown(report.scores[name]) for name in names)),
        (BASELINES[report.task], *(shown(report.baseline[name]) for name in names)),
    ]
    return _table(["", *names], rows, numbers=True)


def _columns(columns: Sequence[ColumnReport]) -> str:
    rows = []
    for column in columns[:MOST_COLUMNS]:
        warning = (
            f'<br><span class="warning">{_text(column.warning)}</span>' if column.warning else ""
        )
        cells = (column.name, column.kind, column.reason, column.encoding)
        name, kind, reason, encoding = map(_text, cells)
        rows.append(
            f"<tr><td>{name}</td><td>{kind}</td><td>{reason}{warning}</td><td>{encoding}</td></tr>"
        )
    more = len(columns) - MOST_COLUMNS
    note = f'<p class="quiet">and {more:,} more</p>' if more > 0 else ""
    head = "<tr><th>column</th><th>read as</th><th>why</th><th>given to the network as</th></tr>"
    return f'<table class="columns">{head}{"".join(rows)}</table>{note}'


def _left_out(report: Report) -> str:
    rows = list(report.left_out.items())
    more = len(rows) - MOST_COLUMNS
    note = f'<p class="quiet">and {more:,} more</p>' if more > 0 else ""
    return _table(["column", "why"], rows[:MOST_COLUMNS]) + note


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False, head_row: bool = True
) -> str:
    """Rows of text; with `numbers`, all but the first column are set to the right."""
    kind = ' class="number"' if numbers else ""

    def line(cells: Sequence[str], tag: str) -> str:
        first, *others = map(_text, cells)
        rest = "".join(f"<{tag}{kind}>{cell}</{tag}>" for cell in others)
        return f"<tr><{tag}>{first}</{tag}>{rest}</tr>"

    lines = [line(head, "th")] if head_row else []
    return f"<table>{''.join([*lines, *(line(row, 'td') for row in rows)])}</table>"


def _figure(caption: str, uri: str) -> str:
    text = _text(caption)
    return f'<figure><img alt="{text}" src="{uri}"><figcaption>{text}</figcaption></figure>'


def _text(text: str) -> str:
    cut = text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 3]}..."
    return escape(cut)
