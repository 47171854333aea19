"""The pictures of a report, drawn by Matplotlib, as SVG in a data URI."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.tabular.report.content import Report, reliability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS = 20
MOST_CLASSES = 40  # of a confusion matrix
MOST_POINTS = 3000
LONGEST_NAME = 32
CURVES = 8  # members whose losses are drawn
FEWEST_IN_BIN = 5  # rows, for a point of the calibration


def pictures(report: Report) -> list[tuple[str, str]]:
    """Return (caption, data URI) of each picture that the report has."""
    found = []
    if report.importance is not None:
        caption = f"How much worse {report.importance.metric} gets when the column is shuffled."
        found.append((caption, _importance(report)))
    if report.task == "classification":
        found.append(_calibration(report))
        if len(report.labels) <= MOST_CLASSES:
            found.append(("Rows by true and by predicted class.", _confusion(report)))
    else:
        found.append(("Predictions against true values.", _predictions(report)))
        found.append(("Residuals: true value minus prediction.", _residuals(report)))
    if any(len(history) > 1 for history in report.histories):
        found.append(
            ("The training of the networks; points are the epochs that were kept.", _curves(report))
        )
    return found


def _importance(report: Report) -> str:
    from fastmlp.plot.base import BLUE, GREY, clear_spines, figure

    assert report.importance is not None
    names = [_short(name) for name in report.importance.names[:MOST_BARS]][::-1]
    means = report.importance.means[:MOST_BARS][::-1]
    spread = report.importance.deviations[:MOST_BARS][::-1]
    picture = figure(6.4, 1.0 + 0.27 * len(names))
    ax = picture.subplots()
    places = np.arange(len(names))
    ax.barh(places, means, xerr=spread, color=BLUE, ecolor=GREY, height=0.7)
    ax.set_yticks(places, names)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set(xlabel=f"how much worse {report.importance.metric} gets")
    ax.locator_params(axis="x", nbins=6)
    clear_spines(ax)
    return _uri(picture)


def _calibration(report: Report) -> tuple[str, str]:
    from fastmlp.plot.base import BLUE, GREY, clear_spines, figure

    means, shares, counts = reliability(report.true, report.outputs)
    known = counts >= FEWEST_IN_BIN
    picture = figure(5.2, 4.6)
    ax, bars = picture.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    ax.plot(means[known], shares[known], "o-", color=BLUE, markersize=4)
    bars.bar(means, counts, width=0.06, color=BLUE)
    two = len(report.labels) == 2
    ax.set(ylabel="observed share", xlim=(0, 1), ylim=(0, 1))
    what = f"predicted probability of {_short(report.labels[1])}" if two else "largest probability"
    bars.set(xlabel=what, ylabel="rows")
    for one in (ax, bars):
        clear_spines(one)
    caption = "Calibration: on the line, probabilities are as often right as they say."
    return caption, _uri(picture)


def _confusion(report: Report) -> str:
    from fastmlp.plot import confusion_matrix
    from fastmlp.plot.base import figure

    size = max(4.2, 2.4 + 0.38 * len(report.labels))
    picture = figure(size + 0.4, size)
    labels = [_short(label) for label in report.labels]
    confusion_matrix(report.true, report.predicted, labels=labels, ax=picture.subplots())
    return _uri(picture)


def _predictions(report: Report) -> str:
    from fastmlp.plot import predicted_against_true
    from fastmlp.plot.base import figure

    picture = figure(5.2, 4.6)
    rows = _some(report)
    ax = predicted_against_true(report.true[rows], report.outputs[rows], ax=picture.subplots())
    ax.locator_params(nbins=5)
    return _uri(picture)


def _residuals(report: Report) -> str:
    from fastmlp.plot.base import BLUE, GREY, clear_spines, figure

    rows = _some(report)
    residuals = report.true[rows] - report.outputs[rows]
    picture = figure(6.4, 4.6)
    left, right = picture.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    left.plot(report.outputs[rows], residuals, ".", color=BLUE, alpha=0.4, markersize=4)
    left.set(xlabel="prediction", ylabel="residual")
    right.hist(residuals, bins=40, orientation="horizontal", color=BLUE)
    right.set(xlabel="rows")
    for ax in (left, right):
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.locator_params(axis="x", nbins=4)
        clear_spines(ax)
    return _uri(picture)


def _curves(report: Report) -> str:
    from fastmlp.plot.base import BLUE, ORANGE, clear_spines, figure

    picture = figure(6.4, 3.6)
    left, right = picture.subplots(1, 2)
    for history in report.histories[:CURVES]:
        epochs = np.arange(1, len(history) + 1)
        left.plot(epochs, history.loss, color=BLUE, linewidth=1)
        if history.val_loss:
            right.plot(epochs, history.val_loss, color=ORANGE, linewidth=1)
        if history.val_loss and history.best_epoch is not None:
            best = history.best_epoch
            right.plot(best + 1, history.val_loss[best], "o", color=ORANGE, markersize=4)
    what = f"{report.facts.get('stopped and ranked by', 'loss')} of held-out rows"
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel=what)
    for ax in (left, right):
        ax.locator_params(axis="x", nbins=5)
        clear_spines(ax)
    return _uri(picture)


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """Be silent where the font lacks letters of a language, and draws boxes for them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        yield


def _some(report: Report) -> Any:
    """Return all rows, or a sample of many."""
    count = len(report.true)
    if count <= MOST_POINTS:
        return slice(None)
    return np.random.RandomState(0).choice(count, MOST_POINTS, replace=False)


def _short(name: str) -> str:
    """Cut a long name; a dollar sign would start a formula."""
    cut = (
        name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    )
    return cut.replace("$", r"\$")


def _uri(picture: Figure) -> str:
    import matplotlib as mpl

    buffer = io.BytesIO()
    # Text stays text, and the same picture is the same bytes.
    options: Any = {"svg.fonttype": "path", "svg.hashsalt": "fastmlp"}
    with mpl.rc_context(options), without_glyph_warnings():
        picture.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
