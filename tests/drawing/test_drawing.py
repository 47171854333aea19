"""Drawings of graphs: their content, with Graphviz and without, and what is refused."""

from __future__ import annotations

import itertools
import re
import shutil
import struct
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp as fm
from fastmlp.drawing import diagram, dot, layout, order

SVG = "{http://www.w3.org/2000/svg}"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Graphviz, even if it is installed."""
    monkeypatch.setattr(dot.shutil, "which", lambda _: None)


@pytest.fixture(params=["dot", "plain"])
def either(request: pytest.FixtureRequest) -> None:
    """With Graphviz, if it is installed, and without."""
    if request.param == "plain":
        request.getfixturevalue("plain")
    elif shutil.which("dot") is None:
        pytest.skip("needs Graphviz")


def circuit(passes: int = 2) -> fm.Graph:
    x, y, z = fm.Input(1, "x"), fm.Input(1, "y"), fm.Input(1, "z")
    net = fm.Graph([x, y, z], {"f": (x + y).named("q") * z})
    if passes > 0:
        net.forward({"x": [[-2.0]], "y": [[5.0]], "z": [[-4.0]]}, keep=True)
    if passes > 1:
        net.backward([[1.0]])
    return net


def residual() -> fm.Graph:
    x = fm.Input(6)
    h = fm.Tanh()(fm.Linear(6, 6)(x)).named("h")
    h = fm.ReLU()(fm.Linear(6, 6)(h) + h)
    return fm.Graph(x, fm.Linear(6, 3)(h), seed=0)


def two_ends() -> fm.Graph:
    a, b = fm.Input(5, "a"), fm.Input(7, "b")
    left, right = fm.ReLU()(fm.Linear(5, 8)(a)), fm.GELU()(fm.Linear(7, 8)(b))
    joined = fm.Concat()(left, right, left * right, fm.Maximum()(left, right))
    m = fm.Maxout(3)(fm.Linear(32, 12)(joined))
    value = fm.Sigmoid()(fm.Linear(4, 2)(fm.Dropout(0.3)(m) + fm.Linear(8, 4)(left)))
    return fm.Graph([a, b], {"class": fm.Linear(4, 3)(m), "value": value}, seed=2)


def twice() -> fm.Graph:
    x = fm.Input(4)
    h = fm.Linear(4, 4)(x)
    return fm.Graph(x, {"h": h, "y": fm.Maximum()(h, x, h)}, seed=3)


GRAPHS = [circuit, residual, two_ends, twice]


def texts(svg: str, colour: str | None = None) -> list[str]:
    """All texts, or those of one colour; dot writes another character for a space."""
    found = ET.fromstring(svg).iter(f"{SVG}text")
    chosen = [one for one in found if colour is None or str(one.get("fill")).upper() == colour]
    return ["".join(one.itertext()).replace("\xa0", " ") for one in chosen]


def rectangles(svg: str) -> list[tuple[float, ...]]:
    """x, y, width and height of each box."""
    kinds = {"input", "node", "output"}
    found = [one for one in ET.fromstring(svg).iter(f"{SVG}rect") if one.get("class") in kinds]
    return [tuple(float(one.attrib[key]) for key in ("x", "y", "width", "height")) for one in found]


# ---- the content of a drawing ----


@pytest.mark.usefixtures("either")
def test_the_circuit_shows_values_and_below_them_gradients() -> None:
    svg = circuit().draw()
    shown = texts(svg, diagram.VALUE), texts(svg, diagram.GRADIENT)
    assert sorted(shown[0]) == sorted(["-2.00", "5.00", "3.00", "-4.00", "-12.00", "values"])
    assert sorted(shown[1]) == sorted(["-4.00", "-4.00", "-4.00", "3.00", "1.00", "gradients"])
    boxes = ["x", "y", "z", "q", "f", "f", "Input(1)", "Input(1)", "Input(1)", "Add", "Multiply"]
    assert sorted(texts(svg)) == sorted([*boxes, *shown[0], *shown[1]])


@pytest.mark.usefixtures("plain")
def test_each_gradient_is_right_below_its_value() -> None:
    at: dict[str, list[tuple[float, float]]] = {diagram.VALUE: [], diagram.GRADIENT: []}
    for one in ET.fromstring(circuit().draw()).iter(f"{SVG}text"):
        if one.get("fill") in at and one.get("text-anchor") == "middle":
            at[one.attrib["fill"]].append((float(one.attrib["x"]), float(one.attrib["y"])))
    for (x, y), (below_x, below_y) in zip(*at.values(), strict=True):
        assert x == below_x
        assert 10 < below_y - y < 25


@pytest.mark.usefixtures("either")
def test_widths_stand_on_the_edges_until_values_do() -> None:
    net = residual()
    assert sorted(t for t in texts(net.draw()) if t[0] == "(") == ["(N, 3)"] + 7 * ["(N, 6)"]
    net.forward(np.ones((2, 6)), keep=True)
    assert not [text for text in texts(net.draw()) if "N" in text]
    assert "(N, 3)" in texts(net.draw(values=False))
    assert not texts(net.draw(values=False), diagram.VALUE)


@pytest.mark.usefixtures("either")
def test_values_without_a_backward_have_no_gradients() -> None:
    svg = circuit(passes=1).draw()
    assert "-12.00" in texts(svg, diagram.VALUE)
    assert not texts(svg, diagram.GRADIENT)
    net = circuit()
    net.forward({"x": [[1.0]], "y": [[1.0]], "z": [[1.0]]}, keep=True)
    assert not texts(net.draw(), diagram.GRADIENT)


@pytest.mark.usefixtures("either")
def test_larger_values_show_shape_mean_and_deviation() -> None:
    net, x = residual(), np.random.default_rng(0).standard_normal((32, 6))
    y = net.forward(x, keep=True)
    svg = net.draw()
    for array in (x, y, net["h"].output):
        expected = f"{array.shape} {array.mean():.2f} ± {array.std():.2f}"
        assert expected in texts(svg, diagram.VALUE)
    assert "(shape) mean ± standard deviation" in texts(svg)


@pytest.mark.usefixtures("either")
def test_of_several_readers_the_sum_stands_at_the_source() -> None:
    net = residual()
    net.forward(np.ones((4, 6)), keep=True)
    net.backward(np.ones((4, 3)))
    shown = texts(net.draw(), diagram.GRADIENT)
    total = diagram.describe(net["h"].grad)
    assert shown.count(f"sum of gradients {total}") == 1
    assert total not in shown
    # Eight edges, minus one because two come from h; h itself; the legend.
    assert len(shown) == 8 - 2 + 1 + 1


@pytest.mark.usefixtures("either")
def test_parameters_show_themselves_and_their_gradients() -> None:
    W, x = fm.Parameter(2, 2, name="W"), fm.Input(2, "x")
    net = fm.Graph(x, fm.Sum()(fm.Square()(fm.MatMul()(W, x))), dtype="float64")
    W.layer.W = [[0.1, 0.5], [-0.3, 0.8]]
    assert {"W", "Parameter(2, 2)", "(2, 2)"} <= set(texts(net.draw()))
    net.forward([[0.2, 0.4]], keep=True)
    net.backward([[1.0]])
    svg = net.draw()
    assert diagram.describe(W.layer.W) in texts(svg, diagram.VALUE)
    assert diagram.describe(np.array([[0.088, 0.176], [0.104, 0.208]])) in texts(
        svg, diagram.GRADIENT
    )


def test_no_rows_and_what_is_not_finite() -> None:
    assert diagram.describe(np.empty((0, 3))) == "(0, 3)"
    assert diagram.describe(np.array([[np.nan]])) == "nan"
    assert diagram.describe(np.array([[np.inf]])) == "inf"
    assert diagram.describe(np.array([np.inf, -np.inf])) == "[inf -inf]"


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0, "0.00"), (0.005, "0.01"), (0.0049, "4.90e-03"), (-123456.7, "-123456.70"),
     (1e6, "1.00e+06"), (-1e-300, "-1.00e-300")],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert diagram.number(value) == text


ODD = [
    "<&>\"'",
    "]]>",
    "a\nb",
    "\x00\x1b",
    "\ud800",
    "$x_1$",
    "\\N",
    "\\n\\",
    "-->",
    "输入",
    "w" * 500,
]


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_escaped(name: str, tmp_path: Path) -> None:
    x = fm.Input(1, name)
    net = fm.Graph(x, {f"{name}!": (x + x).named(f"{name}?")})
    found = texts(net.draw())
    assert diagram.clean(name) in found
    net.draw(tmp_path / "odd.svg")
    assert texts((tmp_path / "odd.svg").read_text("utf-8")) == found


def test_clean_text_is_one_short_line_that_xml_can_hold() -> None:
    assert diagram.clean("a\n\tb") == "a b"
    assert diagram.clean("\x00\ud800") == "��"
    assert len(diagram.clean("w" * 500)) == diagram.LONGEST


@pytest.mark.parametrize("make", GRAPHS)
def test_the_source_for_dot_is_well_formed(make: Any) -> None:
    """Its labels are XML, and its nodes are named by numbers."""
    lines = dot.source(diagram.Diagram.of(make(), True)).splitlines()
    labels = re.findall(r"label=<(.*</font>(?:</b>)?)>", "\n".join(lines))
    assert len(labels) == sum("label=" in line for line in lines)
    for label in labels:
        ET.fromstring(f"<label>{label}</label>")
    assert lines[0] == "digraph {"
    assert lines[-1] == "}"
    assert sum(" -> " in line for line in lines) == len(diagram.Diagram.of(make(), True).edges)


# ---- the plain layout ----


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("make", GRAPHS)
def test_boxes_lie_in_the_picture_and_apart(make: Any) -> None:
    svg = make().draw()
    root, boxes = ET.fromstring(svg), rectangles(svg)
    assert len(boxes) == len(make()._inputs) + len(make().nodes) + len(make()._outputs)
    for x, y, width, height in boxes:
        assert 0 < x < x + width < float(root.attrib["width"])
        assert 0 < y < y + height < float(root.attrib["height"])
    for (ax, ay, aw, ah), (bx, by, bw, bh) in itertools.combinations(boxes, 2):
        assert ax + aw < bx or bx + bw < ax or ay + ah < by or by + bh < ay


@pytest.mark.parametrize("make", GRAPHS)
def test_columns_are_longest_paths_and_edges_go_to_the_right(make: Any) -> None:
    drawn = diagram.Diagram.of(make(), False)
    columns = order.ranks(drawn)
    for k in range(len(drawn.boxes)):
        sources = [columns[edge.tail] for edge in drawn.edges if edge.head == k]
        assert columns[k] == max(sources, default=-1) + 1
    for arrow in layout.place(drawn).arrows:
        xs = [x for x, _ in arrow.points]
        assert xs == sorted(xs)


@pytest.mark.parametrize("make", GRAPHS)
def test_each_edge_ends_at_a_place_of_its_own(make: Any) -> None:
    ends = [arrow.points[-1] for arrow in layout.place(diagram.Diagram.of(make(), False)).arrows]
    for (x, y), (other_x, other_y) in itertools.combinations(ends, 2):
        assert x != other_x or abs(y - other_y) >= order.PORT


def test_order_within_a_column_avoids_crossings() -> None:
    """Four chains whose inputs and outputs are named in different orders."""
    inputs = [fm.Input(1, f"x{k}") for k in range(4)]
    ends = {f"y{k}": fm.Tanh()(inputs[k]) for k in (2, 0, 3, 1)}
    scene = layout.place(diagram.Diagram.of(fm.Graph(inputs, ends), False))
    for arrow in scene.arrows:
        assert {y for _, y in arrow.points} == {arrow.points[0][1]}


def test_a_parameter_stands_right_before_its_reader() -> None:
    x, W = fm.Input(3), fm.Parameter(3, 2)
    net = fm.Graph(x, fm.MatMul()(fm.Tanh()(fm.ReLU()(x)), W))
    drawn = diagram.Diagram.of(net, False)
    columns = dict(zip([box.lines[-1][0] for box in drawn.boxes], order.ranks(drawn), strict=True))
    assert columns["Parameter(3, 2)"] == columns["Tanh"] == 2


# ---- files ----


def size_of(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data.startswith(PNG)
    return struct.unpack(">II", data[16:24])


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("make", GRAPHS)
def test_a_png_of_sensible_size(make: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert make().draw(tmp_path / "graph.PNG") is None
    width, height = size_of(tmp_path / "graph.PNG")
    assert 500 < width < 10_000
    assert 150 < height < width


@pytest.mark.usefixtures("plain")
def test_a_png_of_a_long_graph_has_no_more_pixels_than_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    x = h = fm.Input(1)
    for _ in range(60):
        h = fm.Tanh()(h)
    fm.Graph(x, h).draw(tmp_path / "long.png")
    assert 10_000 < size_of(tmp_path / "long.png")[0] <= 16_000


def test_a_chain_is_drawn_and_shown_in_notebooks():
    net = fm.Sequential(fm.Linear(2, 3), fm.ReLU(), fm.Linear(3, 1), seed=0)
    assert "Linear(2, 3)" in net.draw()
    net.forward([[1.0, 2.0]], keep=True)
    net.backward([[1.0]])
    assert f"{net[2].output.item():.2f}" in net.draw()
    html = net._repr_html_()
    assert "<svg" in html
    assert "Sequential</b>, 13 parameters" in html
    deep = fm.Sequential([fm.Linear(2, 2) for _ in range(41)])
    assert "<svg" not in deep._repr_html_()
