"""Pictures of networks: decision regions, and histograms of values in the layers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fastmlp as fm

pytest.importorskip("matplotlib")
from fastmlp import plot


def texts(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---- decision regions ----

SQUARE = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def linear(W: Any, b: Any, *more: Any) -> fm.Sequential:
    """A network with two inputs and these weights."""
    net = fm.Sequential(fm.Linear(2, len(b)), *more)
    net[0].W, net[0].b = W, b
    return net


def regions(ax: Any) -> np.ndarray[Any, Any]:
    """The colours of the regions as numbers, by rows from below."""
    picture = np.asarray(ax.images[0].get_array())
    _, found = np.unique(picture.reshape(-1, 3), axis=0, return_inverse=True)
    return found.reshape(picture.shape[:2])


def test_regions_are_those_of_the_largest_output() -> None:
    net = linear([[1.0, -1.0], [0.0, 0.0]], [-0.5, 0.5])
    ax = plot.decision_boundary(net, SQUARE, [1, 1, 0, 0], resolution=50)
    picture = regions(ax)
    assert picture.shape == (50, 50)
    assert (picture[:, :25] == picture[0, 0]).all()
    assert (picture[:, 25:] == picture[0, -1]).all()
    assert picture[0, 0] != picture[0, -1]
    assert ax.get_title() == "Decision regions (0 of 4 wrong)"
    assert texts(ax) == ["0", "1"]


def test_a_region_has_the_colour_of_its_points() -> None:
    ax = plot.decision_boundary(linear([[1.0], [0.0]], [-0.5]), SQUARE, [0, 0, 1, 1])
    picture = np.asarray(ax.images[0].get_array())
    for points, pixel in zip(ax.collections, (picture[0, 0], picture[0, -1]), strict=True):
        own = points.get_facecolor()[0, :3]
        np.testing.assert_allclose(pixel, 0.72 + 0.28 * own)


@pytest.mark.parametrize(
    ("net", "threshold", "wrong"),
    [
        (linear([[1.0], [0.0]], [-0.5]), None, 0),
        (linear([[1.0], [0.0]], [-0.5], fm.Sigmoid()), None, 0),
        (linear([[1.0], [0.0]], [-0.5]), 0.6, 2),
        (linear([[1.0], [0.0]], [0.0]), 0.5, 0),
        (linear([[0.0], [0.0]], [0.0]), None, 2),
    ],
)
@pytest.mark.parametrize("low", [0, -1])
def test_one_output_is_compared_with_a_threshold(
    net: Any, threshold: float | None, wrong: int, low: int
) -> None:
    ax = plot.decision_boundary(net, SQUARE, [[low], [low], [1], [1]], threshold=threshold)
    assert ax.get_title() == f"Decision regions ({wrong} of 4 wrong)"
    assert texts(ax) == [str(low), "1"]


def test_regions_of_a_graph_and_of_a_function() -> None:
    x = fm.Input(2)
    graph = fm.Graph(x, fm.Linear(2, 3)(fm.Tanh()(x)), seed=0)
    y = np.argmax(graph.predict(SQUARE), axis=1)
    assert "(0 of 4 wrong)" in plot.decision_boundary(graph, SQUARE, y).get_title()
    names = np.array(["no", "yes"])
    ax = plot.decision_boundary(lambda p: names[(p[:, 0] > 0.5) * 1], SQUARE, names[[0, 0, 1, 0]])
    assert "(1 of 4 wrong)" in ax.get_title()
    assert texts(ax) == ["no", "yes"]


def test_regions_of_a_scikit_learn_estimator() -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    tree = neighbors.KNeighborsClassifier(1).fit(SQUARE, ["a", "b", "c", "a"])
    ax = plot.decision_boundary(tree.predict, SQUARE, ["a", "b", "c", "a"])
    assert "(0 of 4 wrong)" in ax.get_title()
    assert len(np.unique(regions(ax))) == 3


@pytest.mark.parametrize("count", [7, 8, plot.boundary.MAX_CLASSES])
def test_many_classes_have_different_colours(count: int) -> None:
    x = np.stack([np.arange(count), np.zeros(count)], axis=1)
    ax = plot.decision_boundary(lambda p: np.clip(np.rint(p[:, 0]), 0, count - 1), x, range(count))
    assert len(np.unique(regions(ax))) == count
    assert texts(ax) == [str(k) for k in range(count)]


def test_the_plot_of_one_point_has_margins() -> None:
    ax = plot.decision_boundary(lambda p: p[:, 0] > 3, [[3.0, -2.0]], [False])
    assert ax.get_xlim() == (2.0, 4.0)
    assert ax.get_ylim() == (-3.0, -1.0)


GOOD = linear([[1.0], [0.0]], [-0.5])
THREE = linear(np.zeros((2, 3)), np.zeros(3))


@pytest.mark.parametrize(
    ("classifier", "x", "y", "options", "message"),
    [
        (GOOD, SQUARE[:, :1], [0, 0, 1, 1], {}, "x: got 1 columns; want 2"),
        (GOOD, np.zeros((0, 2)), [], {}, "x: got 0 rows"),
        (GOOD, SQUARE * np.nan, [0, 0, 1, 1], {}, "x: got nan"),
        (GOOD, SQUARE, [0, 0, 1], {}, r"y: got shape \(3,\)"),
        (GOOD, SQUARE, [0, 0, 1, np.nan], {}, "y: got nan"),
        (GOOD, SQUARE, [0, 0, 1, 2], {}, "y: got class 2; want 0 and 1"),
        (GOOD, SQUARE, [0, -1, 1, 1], {}, "y: got class 0"),
        (THREE, SQUARE, [0, 0, 1, 3], {}, "y: got label 3 at row 3"),
        (THREE, SQUARE, [0, 0, 1, 1], {"threshold": 0.5}, "threshold: got 0.5"),
        (GOOD, SQUARE, [0, 0, 1, 1], {"threshold": np.inf}, "threshold: got inf"),
        (GOOD, SQUARE, [0, 0, 1, 1], {"resolution": 1}, "resolution: got 1"),
        (fm.Sequential(fm.Linear(3, 1)), SQUARE, [0, 0, 1, 1], {}, "classifier: got a network"),
        (linear([[np.nan], [0]], [0]), SQUARE, [0, 0, 1, 1], {}, "scores that are not finite"),
        (THREE.predict, SQUARE, [0, 0, 1, 1], {}, "give a network itself"),
        (lambda p: p[:5, 0] > 0, SQUARE, [0, 0, 1, 1], {}, r"classifier: got shape \(5,\)"),
        (lambda p: p[:, 0], SQUARE, [0, 0, 1, 1], {}, "different class ids"),
        (lambda p: p[:, 0] > 0, SQUARE, list("aabb"), {}, "y: got classes of another type"),
        (lambda p: p[:, 0] > 0, SQUARE, [0, 0, 1, 1], {"threshold": 0.5}, "threshold: got 0.5"),
        (
            lambda p: [None] * len(p),
            SQUARE,
            np.array([0, 0, 1, "a"], object),
            {},
            "y: got classes that",
        ),
    ],
)
def test_decision_boundary_refuses(
    classifier: Any, x: Any, y: Any, options: Any, message: str
) -> None:
    with pytest.raises(fm.ArgumentError, match=message):
        plot.decision_boundary(classifier, x, y, **options)


def test_decision_boundary_refuses_several_ends() -> None:
    a, b = fm.Input(1, "a"), fm.Input(1, "b")
    with pytest.raises(fm.ArgumentError, match="classifier: got a network of 2 inputs"):
        plot.decision_boundary(fm.Graph([a, b], a + b), SQUARE, [0, 0, 1, 1])
    x = fm.Input(2)
    ends = fm.Graph(x, {"p": fm.Tanh()(x), "q": fm.ReLU()(x)})
    with pytest.raises(fm.ArgumentError, match="classifier: got outputs p, q; want one"):
        plot.decision_boundary(ends, SQUARE, [0, 0, 1, 1])


def test_decision_boundary_refuses_other_types() -> None:
    estimator = SimpleNamespace(predict=lambda p: p[:, 0] > 0)
    with pytest.raises(fm.ArgumentTypeError, match=r"classifier: got .*give its predict"):
        plot.decision_boundary(estimator, SQUARE, [0, 0, 1, 1])
    with pytest.raises(fm.ArgumentTypeError, match="x: got dtype"):
        plot.decision_boundary(GOOD, [["a", "b"]], [0])
    with pytest.raises(fm.ArgumentTypeError, match="y: got dtype"):
        plot.decision_boundary(GOOD, SQUARE, list("aabb"))


# ---- histograms ----


def note(ax: Any) -> str:
    return str(ax.get_title(loc="right"))


def counts(ax: Any) -> np.ndarray[Any, Any]:
    return np.asarray(ax.patches[0].get_data().values)


def data(rows: int = 50, width: int = 6) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((rows, width)), rng.integers(0, 3, rows)


def test_histograms_count_activations_weights_and_gradients() -> None:
    net = fm.Sequential(fm.Linear(6, 8), fm.Tanh(), fm.Linear(8, 3), dtype="float64", seed=0)
    x, y = data()
    loss = fm.CrossEntropyLoss()
    axes = plot.histograms(net, x, y, loss, bins=25)
    assert axes.shape == (3, 3)
    assert len({ax.figure for ax in axes.flat}) == 1
    assert [ax.get_title(loc="left") for ax in axes[0]] == [
        "activations a", "weights", "gradients |dL/da|",
    ]  # fmt: skip
    loss.forward(net.forward(x, keep=True), y)
    net.backward(loss.backward())
    for row, layer in zip(axes, net.layers, strict=True):
        np.testing.assert_array_equal(counts(row[0]), np.histogram(layer.output, 25)[0])
        assert counts(row[2]).sum() == layer.grad.size
        assert note(row[2]) == f"rms {np.sqrt((layer.grad**2).mean()):.1e}"
    np.testing.assert_array_equal(counts(axes[2, 1]), np.histogram(net[2].W, 25)[0])
    assert not axes[1, 1].patches


def test_histograms_tell_dead_units_and_zeros() -> None:
    net = fm.Sequential(fm.Linear(2, 4, init="zeros"), fm.ReLU(), fm.Linear(4, 1))
    net[0].b, net[2].W = [1.0, -1.0, 0.0, 2.0], np.ones((4, 1))
    axes = plot.histograms(net, [[1.0, 2.0], [3.0, 4.0]], [[0.0], [0.0]], fm.MSELoss())
    assert note(axes[1, 0]) == "dead: 2 of 4 (50%)"
    assert note(axes[0, 0]) == note(axes[2, 0]) == ""
    assert note(axes[0, 2]).endswith(", 50% are 0")


def test_vanishing_gradients_lie_on_one_scale() -> None:
    layers = [layer for _ in range(5) for layer in (fm.Linear(6, 6), fm.Sigmoid())]
    net = fm.Sequential(*layers, fm.Linear(6, 3), seed=0)
    axes = plot.histograms(net, *data(), fm.CrossEntropyLoss())
    assert len({ax.get_xlim() for ax in axes[:, 2]}) == 1
    assert {ax.get_xscale() for ax in axes[:, 2]} == {"log"}
    scales = [float(note(ax).removeprefix("rms ")) for ax in axes[1::2, 2]]
    assert scales == sorted(scales)
    assert scales[0] < 0.01 * scales[-1]


def test_histograms_leave_the_network_as_it_was() -> None:
    net = fm.Sequential(fm.Linear(6, 8), fm.BatchNorm(8), fm.ReLU(), fm.Linear(8, 3), seed=0)
    x, y = data()
    kept = net.params.copy(), net.grads.copy(), net.state.copy(), net.step_count
    plot.histograms(net, x, y, fm.CrossEntropyLoss())
    for before, after in zip(kept, (net.params, net.grads, net.state, net.step_count), strict=True):
        np.testing.assert_array_equal(before, after)
    assert net[0].output is None


def test_histograms_without_a_loss_have_no_gradients() -> None:
    net = fm.Sequential(fm.Linear(6, 8), fm.ReLU(), seed=0)
    assert plot.histograms(net, data()[0]).shape == (2, 2)


def test_histograms_of_a_graph_with_two_ends() -> None:
    a, b, W = fm.Input(3, "a"), fm.Input(2, "b"), fm.Parameter(3, 4, name="W")
    h = fm.ReLU()(fm.MatMul()(a, W)).named("h")
    net = fm.Graph([a, b], {"c": fm.Linear(4, 3)(h), "v": fm.Linear(2, 1)(b)}, seed=0)
    x = {"a": data(20, 3)[0], "b": data(20, 2)[0]}
    y = {"c": data(20)[1], "v": np.zeros((20, 1))}
    axes = plot.histograms(net, x, y, {"c": fm.CrossEntropyLoss(), "v": fm.MSELoss()})
    rows = dict(zip(net.nodes, axes, strict=True))
    assert [len(ax.patches) for ax in rows["W"]] == [0, 1, 0]
    assert [len(ax.patches) for ax in rows["h"]] == [1, 0, 1]
    assert counts(rows["W"][1]).sum() == 12
    axes[0, 0].figure.canvas.draw()


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e30, np.nan])
def test_histograms_of_extreme_numbers(scale: float) -> None:
    net = fm.Sequential(fm.Linear(6, 8), fm.ReLU(), fm.Linear(8, 3), dtype="float64", seed=0)
    net.params *= scale
    x, y = data()
    axes = plot.histograms(net, x, y, fm.CrossEntropyLoss())
    axes[0, 0].figure.canvas.draw()
    if scale == 0.0:
        assert note(axes[1, 0]) == "dead: 8 of 8 (100%)"
        assert note(axes[0, 2]) == "rms 0.0e+00, 100% are 0"
    if np.isnan(scale):
        assert note(axes[0, 0]) == "400 not finite"


NET = fm.Sequential(fm.Linear(6, 3), seed=0)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("net", [[1.0]]), {}, fm.ArgumentTypeError, "net: got 'net'; want a Sequential"),
        ((NET, data()[0], data()[1]), {}, fm.ArgumentError, "loss: got None"),
        ((NET, data()[0]), {"loss": fm.MSELoss()}, fm.ArgumentError, "y: got None"),
        ((NET, data()[0], data()[1], "mse"), {}, fm.ArgumentTypeError, "loss: got 'mse'"),
        ((NET, np.zeros((0, 6))), {}, fm.ArgumentError, "x: got 0 rows; want 1 or more"),
        ((NET, np.zeros((2, 5))), {}, fm.ArgumentError, "x: got 5 columns; want 6"),
        ((NET, data()[0]), {"bins": 0}, fm.ArgumentError, "bins: got 0"),
    ],
)
def test_histograms_refuse(arguments: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        plot.histograms(*arguments, **options)
