"""Pictures for notebooks: SVG inside HTML."""

from __future__ import annotations

import importlib
import io
from html import escape
from typing import TYPE_CHECKING, Any

from fastmlp.base.errors import MissingPackageError
from fastmlp.plot.curves import LossHistory, loss_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def svg(ax: Axes) -> str:
    """Return the figure of some axes as the text of an SVG.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> svg(loss_curves(SimpleNamespace(loss=[1.0, 0.5], val_loss=[])))[:4]
    '<svg'
    """
    found = io.StringIO()
    figure: Any = ax.figure
    figure.savefig(found, format="svg")
    text = found.getvalue()
    return text[text.index("<svg") :]


def history_html(history: LossHistory, text: str) -> str:
    """Return HTML with the loss curves of a history, if Matplotlib is installed, and a text."""
    line = f"<code>{escape(text)}</code>"
    if not history.loss:
        return line
    try:
        return f"<div>{svg(loss_curves(history))}<div>{line}</div></div>"
    except MissingPackageError:
        return line


def show(ax: Axes) -> None:
    """Show the figure below the running cell of a notebook."""
    # Untyped, whether IPython is there or not.
    display: Any = importlib.import_module("IPython.display")
    display.display(display.SVG(svg(ax)))
