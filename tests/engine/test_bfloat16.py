"""Products with operands in bfloat16: the rounding, the order of the sums, every shape.

docs/numerics.md, section "bfloat16".
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from tests.chains import chain, fma, in_chunks, lane_sum, multiply_then_add
from tests.engine.test_products import MOST, run_small
from tests.harness import (
    check,
    generator,
    linear,
    make_net,
    net_reference,
    on_all_thread_counts,
    rounding,
    same_bits,
    using_threads,
    weights,
)

import fastmlp as fm
from fastmlp import _core
from fastmlp import reference as ref

FLOAT32 = np.dtype("float32")
LEAST = 2.0**-126  # the smallest normal number


# ---- rounding ----


def nearest_bfloat16(x):
    """By fractions: 8 significant bits, ties to even."""
    if not np.isfinite(x) or abs(x) < LEAST:
        return x if not np.isfinite(x) else np.copysign(0.0, x)
    exact = Fraction(float(x))
    unit = Fraction(2) ** (int(np.floor(np.log2(abs(x)))) - 7)
    rounded = round(exact / unit) * unit
    return np.copysign(np.inf, x) if abs(rounded) >= Fraction(2) ** 128 else float(rounded)


def special_numbers():
    tiny, most = np.float32(LEAST), np.finfo(np.float32).max
    ties = np.arange(0x3F800000, 0x3F800000 + 5 * 0x8000, 0x8000, dtype=np.uint32).view(np.float32)
    around = [np.nextafter(ties, np.float32(side)) for side in (-np.inf, np.inf)]
    edges = [0.0, tiny, np.nextafter(tiny, np.float32(0)), tiny / 3, most, 3.3895e38, 3.3961776e38]
    values = np.concatenate([ties, *around, np.array([*edges, np.inf, np.nan], np.float32)])
    return np.concatenate([values, -values])


def test_the_reference_rounds_to_the_nearest_with_8_digits():
    rng = generator("rounding")
    drawn = rng.normal(size=500) * 2.0 ** rng.integers(-120, 120, size=500)
    values = np.concatenate([special_numbers(), drawn.astype(np.float32)])
    expected = np.array([nearest_bfloat16(x) for x in values.tolist()])
    found = ref.bfloat16(values)
    assert np.array_equal(found, expected, equal_nan=True)
    numbers = ~np.isnan(expected)
    assert np.array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


def test_the_core_rounds_as_the_reference(isa):
    """Products with 1 show the rounded operand: as x, as W and as dy, in both forms."""
    values = special_numbers()
    rounded = ref.bfloat16(values).astype(np.float32)
    for fan_out in (1, 20):
        net = make_net(1, [linear(-1, 1, fan_out, False)], FLOAT32, compute="bfloat16")
        net.params[...] = 1.0
        y = net.forward(values[:, np.newaxis], False)
        assert same_bits(y, np.repeat(rounded[:, np.newaxis], fan_out, axis=1))
        dy = np.zeros((len(values), fan_out), np.float32)
        dy[:, 0] = values
        assert same_bits(net.backward(dy, False)[:, 0], rounded)
    net = make_net(1, [linear(-1, 1, values.size, False)], FLOAT32, compute="bfloat16")
    net.params[...] = values
    assert same_bits(net.predict(np.ones((1, 1), np.float32), None)[0], rounded)


def test_the_dot_form_rounds_as_the_reference(isa):
    """A layer with few outputs and many inputs, of which one is not 0."""
    values = special_numbers()
    finite = values[np.isfinite(values)]
    net = make_net(17, [linear(-1, 17, 1, False)], FLOAT32, compute="bfloat16")
    net.params[...] = 1.0
    x = np.zeros((finite.size, 17), np.float32)
    x[np.arange(finite.size), np.arange(finite.size) % 17] = finite
    assert np.array_equal(net.predict(x, None)[:, 0], ref.bfloat16(finite).astype(np.float32))


# ---- the order of the sums ----


def three_products(x, W, b, dy):
    net = make_net(W.shape[0], [linear(-1, *W.shape)], FLOAT32, compute="bfloat16")
    W_view, b_view, dW, db = weights(net, 0, *W.shape)
    W_view[...], b_view[...] = W, b
    y = net.forward(x, True)
    return y, net.backward(dy, False), dW, db


def ordered_products(x, W, b, dy, add):
    """Chains over rounded operands; the column sums of dy are not products."""
    x, W, rounded = (ref.bfloat16(array).astype(np.float32) for array in (x, W, dy))
    rows, (fan_in, fan_out) = len(x), W.shape
    if fan_out <= 4 and fan_in >= 16:
        y = lane_sum(x, W, add) + b
    else:
        y = chain(np.broadcast_to(b, (rows, fan_out)), x, W, add)
    dx = chain(np.zeros_like(x), rounded, W.T, add)
    ones = np.ones((1, rows), np.float32)
    return y, dx, in_chunks(x.T, rounded, add), in_chunks(ones, dy, multiply_then_add)[0]


def problem(rows, fan_in, fan_out):
    rng = generator("bfloat16", rows, fan_in, fan_out)
    shapes = [(rows, fan_in), (fan_in, fan_out), (fan_out,), (rows, fan_out)]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


# Even and odd sizes, chains and lane sums, more rows than a chunk, more depth than a block.
ORDERED = [(1, 1, 1), (5, 7, 9), (7, 16, 3), (9, 45, 4), (20, 15, 2), (13, 33, 40), (1500, 3, 20),
           (2101, 20, 2), (70, 700, 193), (9, 2200, 50), (6, 50, 2100)]  # fmt: skip


@pytest.mark.parametrize("shape", ORDERED, ids=str)
def test_order_of_sums(shape, isa):
    given = problem(*shape)
    results = on_all_thread_counts(lambda: three_products(*given), counts=(1, 2, 7))
    add = multiply_then_add if isa == "portable" else fma
    for found, wanted in zip(results, ordered_products(*given, add), strict=True):
        assert same_bits(found, wanted)


def test_gradients_add_up(isa, threads):
    """``accumulate`` adds complete chains, in each form of the weight gradient."""
    for rows, fan_in, fan_out in [(5, 7, 9), (21, 33, 3), (40, 18, 50), (1100, 5, 17)]:
        x, W, b, dy = problem(rows, fan_in, fan_out)
        net = make_net(fan_in, [linear(-1, fan_in, fan_out)], FLOAT32, compute="bfloat16")
        W_view, b_view, dW, db = weights(net, 0, fan_in, fan_out)
        W_view[...], b_view[...] = W, b
        net.forward(x, True)
        net.backward(dy, False)
        once = dW.copy(), db.copy()
        net.forward(x[:700], True)
        net.backward(dy[:700], True)
        again = three_products(x[:700], W, b, dy[:700])[2:]
        for found, first, second in zip((dW, db), once, again, strict=True):
            assert same_bits(found, first + second)


def extreme_problem(rows, fan_in, fan_out):
    """Operands and starts from denormal numbers to infinity; sums and products in all of them."""
    rng = generator("extremes", rows, fan_in, fan_out)
    found = []
    for shape in [(rows, fan_in), (fan_in, fan_out), (fan_out,), (rows, fan_out)]:
        array = rng.normal(size=shape) * 2.0 ** rng.integers(-80, -45, size=shape)
        kind = rng.integers(0, 60, size=shape)
        for number, value in enumerate([0.0, -0.0, 1e-40, -1e-41, 1e-38, 1.2e-38]):
            array = np.where(kind == number, value, array)
        found.append(array.astype(np.float32))
    return found


@pytest.mark.parametrize("shape", [(40, 13, 50), (33, 40, 3), (70, 301, 193)], ids=str)
def test_denormal_numbers_have_the_same_bits_on_every_instruction_set(shape):
    """Instructions for bfloat16 flush them; the others compute in that mode."""
    given, results = extreme_problem(*shape), {}
    given[0][3, 1], given[0][5, 2], given[1][0, 0], given[3][2, 1] = np.inf, np.nan, -np.inf, 3e38
    before = _core.config()["isa"]
    for isa in _core.config()["isas"][1:]:
        _core.use_isa(isa)
        results[isa] = on_all_thread_counts(lambda: three_products(*given), counts=(1, 3))
    _core.use_isa(before)
    first, *others = results.values()
    tiny = np.abs(first[0][np.isfinite(first[0])])
    assert shape[2] < 5 or not ((tiny > 0) & (tiny < LEAST)).any(), "a chain ends flushed"
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert same_bits(one, two)
            numbers = ~np.isnan(one)
            assert same_bits(np.signbit(one[numbers]), np.signbit(two[numbers]))


# ---- shapes ----


@pytest.mark.parametrize("fan_in", [1, 2, 3, 4, 7, 8, 15, 16, 17, 31, MOST])
def test_small_shapes(fan_in, isa, threads):
    for fan_out in (1, 3, 4, 5, 12, 15, 16, 17, MOST):
        run_small((MOST, 16, 9, 8, 7, 2, 1, 0), fan_in, fan_out, True, FLOAT32, "bfloat16")


LARGE = [(257, 129, 515), (70, 700, 200), (2500, 70, 17), (33, 5000, 3), (1, 1000, 1000)]


@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large_shapes_match_the_reference(shape, isa):
    rows, fan_in, fan_out = shape
    x, W, b, dy = problem(*shape)
    layer = ref.Linear(W, b, "bfloat16")
    expected = [layer.forward(x), layer.backward(dy), layer.dW, layer.db]
    sizes = ref.Linear(np.abs(W), np.abs(b), "bfloat16")
    sizes = [sizes.forward(np.abs(x)), sizes.backward(np.abs(dy)), sizes.dW, sizes.db]
    results = on_all_thread_counts(lambda: three_products(x, W, b, dy), counts=(1, 2, 7))
    for i, count in enumerate((fan_in, fan_out, rows, rows)):
        check(
            results[i], expected[i], rounding(count, FLOAT32), sizes[i], ["y", "dx", "dW", "db"][i]
        )


def test_products_of_two_values_match_the_reference(isa, threads):
    a, b = fm.Input((3, 17), "a"), fm.Input((17, 5), "b")
    net = fm.Graph([a, b], fm.MatMul()(a, b), compute="bfloat16")
    rng = generator("matmul")
    A, B, dy = (rng.normal(size=(9, *s)).astype(np.float32) for s in ((3, 17), (17, 5), (3, 5)))
    gate = ref.MatMul("bfloat16")
    y = net.forward({"a": A.reshape(9, -1), "b": B.reshape(9, -1)})
    check(y.reshape(9, 3, 5), gate.forward(A, B), rounding(17, FLOAT32), np.abs(A) @ np.abs(B))
    gradients = net.backward(dy.reshape(9, -1))
    for name, wanted in zip(("a", "b"), gate.backward(dy), strict=True):
        found = gradients[name].reshape(wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


# ---- networks ----


def network(**options):
    return fm.Sequential(
        fm.Linear(20, 70), fm.GELU(), fm.Linear(70, 40), fm.ReLU(), fm.Linear(40, 3),
        seed=3, compute="bfloat16", **options)  # fmt: skip


def test_a_network_matches_the_reference(isa, threads):
    """Roundings of activations differ where the reference's lie near a tie, by one in 2^8."""
    net, rng = network(), generator("network")
    x, dy = (rng.normal(size=(50, n)).astype(np.float32) for n in (20, 3))
    reference = net_reference(net)
    room = {"rtol": 0.02, "atol": 0.02}
    np.testing.assert_allclose(net.forward(x), reference.forward(x), **room)
    np.testing.assert_allclose(net.backward(dy), reference.backward(dy), **room)
    np.testing.assert_allclose(net[0].dW, reference.layers[0].dW, rtol=0.02, atol=0.1)
    assert np.abs(net.predict(x) - reference.forward(x)).max() < 3e-3


def test_each_layer_matches_the_reference_on_its_own_input(isa):
    net, rng = network(), generator("kept")
    x = rng.normal(size=(50, 20)).astype(np.float32)
    y = net.forward(x, keep=True)
    assert same_bits(y, net.predict(x))
    for position in (0, 2, 4):
        layer, given = net[position], x if position == 0 else net[position - 1].output
        twin = ref.Linear(layer.W, layer.b, "bfloat16")
        size = ref.Linear(np.abs(layer.W), np.abs(layer.b), "bfloat16").forward(np.abs(given))
        check(layer.output, twin.forward(given), rounding(70, FLOAT32), size)


def test_a_single_row_has_the_bits_of_its_batch(isa, threads):
    net, rng = network(), generator("rows")
    x = rng.normal(size=(37, 20)).astype(np.float32)
    whole = net.predict(x)
    assert same_bits(np.concatenate([net.predict(row[np.newaxis]) for row in x]), whole)


def test_training_learns_and_keeps_float32_weights():
    net, rng = network(), generator("training")
    x = rng.normal(size=(300, 20)).astype(np.float32)
    labels = x[:, :3].argmax(axis=1)
    history = fm.fit(net, x, labels, loss=fm.CrossEntropyLoss(), epochs=30, batch_size=50,
                     progress=False)  # fmt: skip
    assert history.loss[-1] < 0.2 * history.loss[0]
    assert net.params.dtype == np.float32
    assert not np.array_equal(ref.bfloat16(net.params), net.params)


def test_training_differs_from_float32_and_not_between_thread_counts():
    def trained(compute):
        net = fm.Sequential(fm.Linear(20, 70), fm.Tanh(), fm.Linear(70, 3), seed=3, compute=compute)
        rng = generator("threads")
        x = rng.normal(size=(100, 20)).astype(np.float32)
        fm.fit(net, x, np.arange(100) % 3, loss=fm.CrossEntropyLoss(), epochs=2, progress=False)
        return (net.params,)

    (rounded,) = on_all_thread_counts(lambda: trained("bfloat16"))
    with using_threads(1):
        assert not same_bits(rounded, trained(None)[0])


def test_a_network_of_float64_is_refused():
    for make in (
        lambda: fm.Sequential(fm.Linear(2, 1), dtype="float64", compute="bfloat16"),
        lambda: fm.Graph({"x": 2}, "y", [("y", fm.Linear(2, 1), "x")], dtype="float64",
                         compute="bfloat16"),
    ):  # fmt: skip
        with pytest.raises(fm.ArgumentError, match="compute: got 'bfloat16' with dtype 'float64'"):
            make()


@pytest.mark.parametrize("value", ["float16", "float32", "", 16, np.float32])
def test_other_types_of_operands_are_refused(value):
    with pytest.raises(fm.FastMLPError, match=r"compute: got .* want None or 'bfloat16'"):
        fm.Sequential(fm.Linear(2, 1), compute=value)


def test_copies_and_files_remember_the_type_of_operands(tmp_path):
    net = network()
    assert net.compute == "bfloat16"
    x = generator("files").normal(size=(5, 20)).astype(np.float32)
    net.save(tmp_path / "net.safetensors")
    for other in (net.copy(), fm.load(tmp_path / "net.safetensors"),
                  fm.Sequential.from_description(net.describe())):  # fmt: skip
        assert other.compute == "bfloat16"
        assert other.describe() == net.describe()
        assert same_bits(other.predict(x), net.predict(x))
    exact = net.copy(dtype="float64")
    assert exact.compute is None
    assert exact.params.dtype == np.float64
    graph = fm.Graph({"x": 20}, "y", [("y", fm.Linear(20, 1), "x")], compute="bfloat16")
    assert fm.Graph.from_description(graph.describe()).compute == "bfloat16"
    assert "compute" not in fm.Sequential(fm.Linear(2, 1)).describe()


def test_a_checkpoint_resumes_with_the_same_bits(tmp_path):
    rng = generator("checkpoint")
    x = rng.normal(size=(120, 20)).astype(np.float32)
    options = {"loss": fm.CrossEntropyLoss(), "batch_size": 50, "progress": False}
    whole, part = network(), network()
    y = np.arange(120) % 3
    fm.fit(whole, x, y, epochs=4, **options)
    path = tmp_path / "fit.safetensors"
    fm.fit(part, x, y, epochs=2, callbacks=[fm.Checkpoint(path)], **options)
    resumed = network()
    options["callbacks"] = [fm.Checkpoint(path, resume=True)]
    fm.fit(resumed, x, y, epochs=4, **options)
    assert same_bits(resumed.params, whole.params)
    other = fm.Sequential.from_description(
        {name: value for name, value in network().describe().items() if name != "compute"}
    )
    with pytest.raises(fm.FastMLPError):
        fm.fit(other, x, y, epochs=4, **options)


def test_the_configuration_says_whether_the_processor_has_instructions_for_it(isa):
    expected = "native" if isa == "avx512bf16" else "emulated"
    assert fm.show_config()["bfloat16"] == expected
