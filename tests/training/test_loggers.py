"""Callbacks that log: CSV, JSON lines, Python's logging, TensorBoard; and the progress."""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
import types

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.base import host

X = np.random.default_rng(0).standard_normal((30, 3))
Y = X @ [[1.0], [-2.0], [0.5]]


def fit(*callbacks, epochs=4, **options):
    net = fm.Sequential(fm.Linear(3, 1), seed=0)
    return fm.fit(net, X, Y, loss=fm.MSELoss(), epochs=epochs, batch_size=10, callbacks=callbacks,
                  **options)  # fmt: skip


def test_csv_has_a_line_for_each_epoch_with_all_digits(tmp_path):
    path = tmp_path / "log.csv"
    history = fit(fm.CSVLogger(path), validation=0.2)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    for name in ("loss", "val_loss", "val_score", "lr", "seconds"):
        assert [float(row[name]) for row in rows] == getattr(history, name)
    fit(fm.CSVLogger(path, append=True))
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 8
    assert rows[-1]["val_loss"] == ""


def test_json_lines_of_epochs_and_of_steps(tmp_path):
    history = fit(fm.JSONLogger(tmp_path / "log", step_every=2))
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    epochs = [line for line in lines if "epoch" in line]
    assert [line["loss"] for line in epochs] == history.loss
    assert epochs[0]["val_loss"] is None
    assert [line["step"] for line in lines if "step" in line] == [2, 4, 6, 8, 10, 12]


def test_numbers_that_are_not_finite_are_null_in_json(tmp_path):
    with pytest.warns(RuntimeWarning, match="training loss"):
        fm.fit(fm.Sequential(fm.Linear(3, 1), seed=0), X, Y, loss=fm.MSELoss(), epochs=3,
               optimizer=fm.SGD(1e30), callbacks=[fm.JSONLogger(tmp_path / "log")])  # fmt: skip
    lines = (tmp_path / "log").read_text().splitlines()
    assert json.loads(lines[-1])["loss"] is None


def test_records_of_logging(caplog):
    with caplog.at_level(logging.DEBUG):
        fit(fm.PythonLogger("mine", level="DEBUG", every=3))
    found = [(r.name, r.levelname, r.message.split("  ")[0]) for r in caplog.records]
    assert found == [("mine", "DEBUG", "epoch 3/4"), ("mine", "DEBUG", "epoch 4/4")]
    for bad in ({"level": "LOUD"}, {"level": True}, {"every": 0}):
        with pytest.raises(fm.ArgumentError):
            fm.PythonLogger(**bad)
    with pytest.raises(fm.ArgumentTypeError, match="logger: got 3"):
        fm.PythonLogger(3)


def test_tensorboard_gets_the_scalars(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = fit(fm.TensorBoardLogger(tmp_path / "runs", step_every=3), validation=0.2)
    events = EventAccumulator(str(tmp_path / "runs"))
    events.Reload()
    values = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    assert set(values) == {"loss/training", "loss/validation", "score", "lr", "seconds",
                           "loss/step", "lr/step"}  # fmt: skip
    assert [one.step for one in values["loss/training"]] == [1, 2, 3, 4]
    np.testing.assert_allclose([one.value for one in values["loss/validation"]], history.val_loss)
    assert [one.step for one in values["loss/step"]] == [3, 6, 9, 12]


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(fm.MissingPackageError, match=r"fastmlp\[tensorboard\]"):
        fit(fm.TensorBoardLogger(tmp_path))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("epochs", [1, 3, 10, 60, 101])
def test_progress_in_a_file_has_at_most_ten_lines(epochs):
    text = io.StringIO()
    fit(fm.ProgressBar(text), epochs=epochs)
    lines = text.getvalue().splitlines()
    assert len(lines) == min(epochs, 10)
    assert lines[-1].startswith(f"epoch {epochs}/{epochs}  loss ")
    assert "\r" not in text.getvalue()


@pytest.mark.parametrize("bar", [True, False])
def test_progress_on_a_terminal_is_one_updating_line(bar, monkeypatch):
    if bar:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    text = Terminal()
    fit(fm.ProgressBar(text), epochs=60)
    assert text.getvalue().count("\n") == 1
    assert "60/60" in text.getvalue().split("\r")[-1]


def test_bars_are_the_default_on_terminals_and_in_notebooks(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", Terminal())
    fit()
    assert "4/4" in sys.stderr.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    fit()
    assert sys.stderr.getvalue() == ""
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert host.in_notebook()
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    fit()
    assert sys.stderr.getvalue().count("\r") == 4
    shell.config = {}
    assert not host.in_notebook()


# ---- the history as a table and as pictures, and the range test ----


def test_a_history_as_a_frame():
    pandas = pytest.importorskip("pandas")
    history = fit(validation=0.2)
    frame = history.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.index.tolist() == [1, 2, 3, 4]
    assert frame["val_loss"].tolist() == history.val_loss
    assert "val_loss" not in fit().to_frame()


def test_a_history_as_pictures(monkeypatch):
    pytest.importorskip("matplotlib")
    history = fit(validation=0.2)
    assert history.plot().get_xlabel() == "epoch"
    assert history._repr_html_().startswith("<div><svg")
    assert "<svg" not in fm.History()._repr_html_()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert history._repr_html_() == "<code>" + repr(history) + "</code>"


def test_the_range_test_suggests_a_rate_and_leaves_the_network():
    pytest.importorskip("matplotlib")
    net = fm.Sequential(fm.Linear(3, 16), fm.Tanh(), fm.Linear(16, 1), seed=0)
    before = net.params.copy()
    found = fm.find_lr(net, X, Y, loss=fm.MSELoss(), optimizer=fm.SGD(momentum=0.9), batch_size=8)
    assert np.array_equal(net.params, before)
    assert net.step_count == 0
    # It ends where the losses rise, and training with the suggestion works.
    assert len(found.rates) < 100
    assert found.rates[0] == 1e-7
    assert 1e-3 < found.suggestion < 1.0
    again = fm.find_lr(net, X, Y, loss=fm.MSELoss(), optimizer=fm.SGD(momentum=0.9), batch_size=8)
    assert np.array_equal(found.losses, again.losses)
    history = fm.fit(net, X, Y, loss=fm.MSELoss(), epochs=20, batch_size=8,
                     optimizer=fm.SGD(found.suggestion, momentum=0.9))  # fmt: skip
    assert history.loss[-1] < 0.2 * history.loss[0]
    assert found.plot().get_xscale() == "log"


def test_the_range_test_names_bad_arguments():
    net = fm.Sequential(fm.Linear(3, 1), seed=0)
    for bad, text in (({"lowest": 0.0}, "lowest: got 0.0"), ({"highest": 1e-8}, "highest: got"),
                      ({"steps": 1}, "steps: got 1")):  # fmt: skip
        with pytest.raises(fm.ArgumentError, match=text):
            fm.find_lr(net, X, Y, loss=fm.MSELoss(), **bad)
    net.params[...] = np.nan
    with pytest.raises(fm.ArgumentError, match="got a loss of nan"):
        fm.find_lr(net, X, Y, loss=fm.MSELoss())
