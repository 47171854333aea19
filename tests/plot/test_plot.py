"""Pictures: what the axes show, without a display and without pyplot."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastmlp as fm

pytest.importorskip("matplotlib")
from fastmlp import plot


def history(loss: list[float], val_loss: list[float], **more: Any) -> SimpleNamespace:
    return SimpleNamespace(loss=loss, val_loss=val_loss, **more)


def texts(ax: Any) -> list[str]:
    ax.figure.canvas.draw()
    return [t.get_text() for t in ax.get_legend().get_texts()]


def test_loss_curves_mark_the_best_epoch() -> None:
    ax = plot.loss_curves(history([3.0, 2.0, 1.0], [3.1, 1.5, 1.9]))
    assert texts(ax) == ["training", "validation", "best: epoch 2, loss 1.5"]
    assert ax.get_yscale() == "linear"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3])


def test_the_history_decides_which_epoch_was_best() -> None:
    ax = plot.loss_curves(history([3.0, 2.0], [3.0, 2.0], best_epoch=0))
    assert "best: epoch 1, loss 3" in texts(ax)


def test_losses_of_many_magnitudes_are_logarithmic() -> None:
    assert plot.loss_curves(history([3.0, 0.01], [])).get_yscale() == "log"


@pytest.mark.parametrize(
    ("loss", "val_loss"),
    [
        ([1.0], []),
        ([1.0], [2.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([-5.0, -900.0], []),
        ([1.0, np.nan, 2.0], [np.inf, np.nan, 1.0]),
        ([np.nan], [np.nan]),
    ],
)
def test_odd_histories_can_be_drawn(loss: list[float], val_loss: list[float]) -> None:
    assert texts(plot.loss_curves(history(loss, val_loss)))[0] == "training"


def test_history_of_a_real_fit() -> None:
    net = fm.Sequential(fm.Linear(1, 1), seed=0)
    x = np.linspace(0, 1, 8).reshape(-1, 1)
    result = fm.fit(net, x, x, loss=fm.MSELoss(), epochs=3, validation=(x, x), progress=False)
    assert len(plot.loss_curves(result).lines[0].get_xdata()) == 3


def test_empty_history() -> None:
    with pytest.raises(fm.ArgumentError, match="got 0 epochs"):
        plot.loss_curves(history([], []))


def test_confusion_matrix_counts() -> None:
    ax = plot.confusion_matrix([0, 0, 1, 2, 2], [0, 1, 1, 2, 2], labels=["a", "b", "c"])
    assert {(t.get_position(), t.get_text()) for t in ax.texts} == {
        ((0, 0), "1"), ((1, 0), "1"), ((1, 1), "1"), ((2, 2), "2"),
    }  # fmt: skip
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    assert ax.get_title() == "Confusion matrix (1 of 5 wrong)"


def test_confusion_matrix_finds_the_classes() -> None:
    ax = plot.confusion_matrix(["cat", "dog"], ["dog", "emu"])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["cat", "dog", "emu"]


@pytest.mark.parametrize(
    ("true", "predicted", "labels"),
    [
        ([], [], None),
        ([1, 2], [1], None),
        ([0, 2], [0, 1], ["a", "b"]),
        ([0, -1], [0, 1], ["a", "b"]),
        (["a"], ["b"], ["a", "b"]),
    ],
)
def test_confusion_matrix_refuses(true: list[Any], predicted: list[Any], labels: Any) -> None:
    with pytest.raises(fm.ArgumentError):
        plot.confusion_matrix(true, predicted, labels)


def test_predicted_against_true() -> None:
    ax = plot.predicted_against_true([[1.0], [2.0], [4.0]], [1.0, 2.5, 4.0], unit="kg")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("true value (kg)", "predicted value (kg)")
    assert ax.get_xlim() == ax.get_ylim()
    assert "0.946" in ax.get_title()


@pytest.mark.parametrize("values", [[2.0, 2.0], [1.0, np.nan], [np.nan, np.inf]])
def test_predictions_without_spread_or_finiteness(values: list[float]) -> None:
    plot.predicted_against_true([2.0, 2.0], values).figure.canvas.draw()


def test_given_axes_are_drawn_into() -> None:
    left, right = plot.figure(8, 4).subplots(1, 2)
    assert plot.loss_curves(history([1.0], []), ax=left) is left
    assert plot.confusion_matrix([0], [0], ax=right) is right


def test_pyplot_is_never_imported() -> None:
    code = (
        "import sys; from fastmlp import plot;"
        "plot.confusion_matrix([0, 1], [0, 1]).figure.canvas.draw();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(fm.MissingPackageError, match=r"fastmlp\[plot\]"):
        plot.figure()


def test_the_module_needs_no_matplotlib_to_be_imported() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import fastmlp as fm\n"
        "from fastmlp import plot\n"
        "try:\n"
        "    plot.histograms(fm.Sequential(fm.Linear(1, 1)), [[1.0]])\n"
        "except fm.MissingPackageError as error:\n"
        "    assert 'fastmlp[plot]' in str(error)\n"
        "else:\n"
        "    raise SystemExit('drawn without matplotlib')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
