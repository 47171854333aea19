"""The figure without a window and the colours, which all plots use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmlp.base.errors import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart.
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#6B6B6B"


def figure(width: float = 5.2, height: float = 4.2) -> Figure:
    """Make a figure, its size in inches, that needs no display and no pyplot.

    Raises
    ------
    MissingPackageError
        Matplotlib is not installed; the message names the extra that installs it.

    Examples
    --------
    >>> left, right = figure(9, 4).subplots(1, 2)
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        message = f'pictures need {error.name}: pip install "fastmlp[plot]"'
        raise MissingPackageError(message, name=error.name) from None
    picture = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(picture)
    return picture


def clear_spines(ax: Axes) -> None:
    """Remove the top and right lines of the frame."""
    ax.spines[["top", "right"]].set_visible(False)
