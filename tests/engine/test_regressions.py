"""Former bugs, each with the smallest program that showed it."""

import json
import sys

import numpy as np
import pytest
from contract.fuzzing_cases import CONSTANT_BYTES, Meter

import fastmlp as fm
from fastmlp import reference
from fastmlp.io import safetensors

RNG = np.random.default_rng(7)
X = RNG.standard_normal((12, 4))
LABELS = np.arange(12) % 3


def small_net():
    return fm.Sequential(fm.Linear(4, 5), fm.Tanh(), fm.Linear(5, 3), dtype="float64", seed=1)


@pytest.mark.parametrize("loss", [fm.CrossEntropyLoss(), fm.MultiMarginLoss()])
@pytest.mark.parametrize("dtype", [np.longlong, np.int64, np.intc, np.uint64])
def test_every_integer_type_holds_labels(loss, dtype):
    """int64 has two type numbers; the second one was read as an array of real targets."""
    scores = RNG.standard_normal((12, 3))
    expected = loss.forward(scores, LABELS.tolist())
    assert loss.forward(scores, LABELS.astype(dtype)) == expected
    losses = [fm.fit(small_net(), X, LABELS.astype(kind), loss=loss, epochs=2,
                     progress=False).loss for kind in (dtype, np.int64)]  # fmt: skip
    assert losses[0] == losses[1]
    steps = [fm.Trainer(small_net(), loss).step(X, LABELS.astype(kind))
             for kind in (dtype, np.int64)]  # fmt: skip
    assert steps[0] == steps[1]


def test_a_forward_while_backward_converts_its_argument():
    """The rows were counted before the conversion, which may run any code."""
    net = small_net()

    class Sly:
        def __array__(self, *args, **kwargs):
            net.forward(np.zeros((100_000, 4)))
            return np.ones((1, 3))

    net.forward(X[:1])
    with pytest.raises(fm.StateError, match="since the forward pass"):
        net.backward(Sly())


def test_calls_before_the_constructor_raise():
    with pytest.raises(fm.StateError, match="__init__"):
        fm.Trainer.__new__(fm.Trainer).step(np.ones((1, 2), np.float32), np.zeros(1, np.int64))
    with pytest.raises(fm.StateError, match="__init__"):
        fm.Sequential.__new__(fm.Sequential).predict(np.ones((1, 2), np.float32))


def test_subclasses_do_what_their_base_does():
    class MyL2(fm.L2):
        pass

    class MyLoss(fm.MSELoss):
        pass

    class MySGD(fm.SGD):
        pass

    net = small_net()
    assert MyL2(0.5).forward(net) == fm.L2(0.5).forward(net)
    target = np.zeros((12, 3))
    values = [fm.Trainer(small_net(), loss, optimizer).step(X, target)
              for loss, optimizer in ((MyLoss(), MySGD()), (fm.MSELoss(), fm.SGD()))]  # fmt: skip
    assert values[0] == values[1]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
def test_training_and_validation_losses_are_of_one_kind(reduction, weighted):
    """With a learning rate of 0 both are the same number for any batches."""
    weight = np.where(np.arange(12) < 7, 0.25, 2.0) if weighted else None
    data = (X, LABELS) if weight is None else (X, LABELS, weight)
    history = fm.fit(small_net(), X, LABELS, loss=fm.CrossEntropyLoss(reduction=reduction),
                     optimizer=fm.SGD(lr=0.0), epochs=1, batch_size=5, sample_weight=weight,
                     validation=data, progress=False)  # fmt: skip
    np.testing.assert_allclose(history.loss, history.val_loss, rtol=1e-12)


def test_many_weights_add_up_in_double_precision():
    rows = 1_000_000
    scores = np.zeros((rows, 2), np.float32)
    weight = np.full(rows, 0.1, np.float32)
    value = fm.CrossEntropyLoss().forward(scores, np.zeros(rows, np.int64), weight)
    assert value == pytest.approx(np.log(2.0), rel=1e-6)


def test_nan_is_never_the_best_loss():
    schedule = fm.ReduceLROnPlateau(factor=0.5, patience=0)
    for loss in (float("nan"), 5.0, 4.0, 3.0):
        schedule.observe(loss)
    assert schedule.rates(lr=1.0, epoch=4, epochs=9, steps=1).tolist() == [0.5]


def test_an_interrupt_during_validation_leaves_complete_epochs(monkeypatch):
    def interrupted(trainer, data):
        raise KeyboardInterrupt

    monkeypatch.setattr(fm.Trainer, "evaluation", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        fm.fit(small_net(), X, LABELS, loss=fm.CrossEntropyLoss(), epochs=3,
               validation=(X, LABELS), progress=False)  # fmt: skip
    history = caught.value.history
    assert {len(column) for column in (history.loss, history.lr, history.seconds)} == {0}


def test_every_callback_is_told_of_the_end():
    epochs = []

    class Raises:
        def on_epoch_end(self, state):
            pass

        def on_fit_end(self, state):
            raise RuntimeError("mine")

    class Hears(Raises):
        def on_fit_end(self, state):
            epochs.append(state.epoch)

    with pytest.raises(RuntimeError, match="mine"):
        fm.fit(small_net(), X, LABELS, loss=fm.CrossEntropyLoss(), epochs=2,
               callbacks=[Raises(), Hears()], progress=False)  # fmt: skip
    assert epochs == [1]


@pytest.mark.parametrize("dtype", [np.bool_, np.float16, np.float32])
def test_views_larger_than_memory_are_refused(dtype):
    """They were converted before their shapes were checked, and NumPy's error came out."""
    net, loss = small_net(), fm.MSELoss()
    huge = np.broadcast_to(dtype(1), (2**50, 4))
    before = net.params.tobytes()
    with pytest.raises(fm.OutOfMemoryError, match=r"^x: got shape \(1125899906842624, 4\)"):
        net.predict(huge)
    wrong = np.broadcast_to(dtype(1), (2**50, 5))
    with pytest.raises(fm.ArgumentError, match=r"^x: got 5 columns; want 4"):
        net.predict(wrong)
    for argument, call in {
        "y": lambda: fm.Trainer(net, loss).step(X, wrong),
        "params": lambda: setattr(net, "params", wrong),
        "W": lambda: setattr(net[0], "W", wrong),
        "sample_weight": lambda: loss.forward(X, X, wrong[:, 0]),
    }.items():
        with pytest.raises(fm.ArgumentError, match=rf"^{argument}: got .*1125899906842624"):
            call()
    with pytest.raises(fm.OutOfMemoryError, match=r"^validation x: got shape"):
        fm.fit(net, X, LABELS, loss=fm.CrossEntropyLoss(), validation=(huge, LABELS))
    assert net.params.tobytes() == before


def test_an_array_without_memory_is_an_out_of_memory_error():
    """The error said that the type was wrong."""

    class Greedy:
        def __array__(self, *args, **kwargs):
            raise MemoryError

    with pytest.raises(fm.OutOfMemoryError, match=r"^x: got Greedy"):
        small_net().predict(Greedy())


def test_numbers_too_large_for_the_dtype_become_infinite():
    """NumPy warned or raised, depending on the caller's settings."""
    net = small_net().copy(dtype="float32")
    x = np.full((2, 4), 1e300)
    with np.errstate(all="raise"):
        y = net.predict(x)
    assert np.array_equal(y, net.predict(np.full((2, 4), np.inf)), equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hinge_gradient_is_finite_for_an_infinite_right_score(dtype):
    """The gradient of the right class was NaN, from a difference that does not count."""
    scores = np.ones((2, 20), dtype)
    scores[0, 7] = np.inf
    loss = fm.MultiMarginLoss(reduction="sum")
    assert loss.forward(scores, [7, 7]) == 19.0
    assert not loss.backward()[0].any()
    assert loss.backward()[1].tolist() == [1.0] * 7 + [-19.0] + [1.0] * 12


def test_negative_counts_and_nan_are_refused():
    """A NaN hid the negative count."""
    with pytest.raises(fm.ArgumentError, match=r"^y: got nan"):
        fm.PoissonNLLLoss().forward(np.zeros((2, 1)), [np.nan, -1.0])


def test_scores_of_infinities_are_nan():
    """The scores gave warnings and were called perfect."""
    assert np.isnan(fm.PoissonNLLLoss().score([[0.0], [1.0]], [np.inf, 1.0]))


@pytest.mark.parametrize("make", [lambda n: fm.Adam(lr=n), lambda n: fm.Linear(n, 1)])
def test_odd_objects_are_refused_as_numbers(make):
    """NumPy treats a duration as an integer; some huge numbers and others have no text."""

    class Nameless:
        def __repr__(self):
            raise RuntimeError

    for value in (np.timedelta64(3, "s"), Nameless(), 10**5000):
        with pytest.raises(fm.FastMLPError, match=r"got .*; want"):
            make(value)
    with pytest.raises(fm.ArgumentTypeError) as caught:
        make([1.0] * 10**6)
    assert len(str(caught.value)) < 300


def test_a_weight_of_one_row_that_is_not_a_number_is_refused():
    with pytest.raises(fm.ArgumentError, match=r"^sample_weight: got rows of unequal length"):
        fm.MSELoss().forward([1.0, 2.0], [1.0, 2.0], [[1.0], []])


def test_arrays_whose_attributes_raise():
    class Odd:
        def __getattr__(self, name):
            raise RuntimeError(name)

    with pytest.raises(fm.ArgumentTypeError, match=r"^x: got"):
        small_net().predict(Odd())


def test_out_that_is_a_masked_array_is_refused():
    out = np.ma.masked_all((12, 3))
    with pytest.raises(fm.ArgumentError, match=r"^out: got masked values"):
        small_net().predict(X, out)


@pytest.mark.parametrize(
    "network",
    [
        {"type": "Sequential", "in_features": 10**7,
         "layers": [{"type": "LayerNorm", "features": 10**7, "eps": 1e-5}]},
        {"type": "Sequential", "in_features": 10**7,
         "layers": [{"type": "BatchNorm", "features": 10**7, "eps": 1e-5, "momentum": 0.1}]},
        {"type": "Graph", "inputs": {"x": 4000}, "outputs": {"y": "y"},
         "nodes": [["w", {"type": "Parameter", "shape": [4000, 4000], "init": None}, []],
                   ["y", {"type": "MatMul", "shape_a": None, "shape_b": None}, ["x", "w"]]]},
    ],
)  # fmt: skip
def test_a_file_without_tensors_allocates_no_memory_for_them(tmp_path, network):
    """Only widths of Linear layers were compared with the tensors before memory was allocated."""
    own = {"format": 1, "network": {"dtype": "float32", "seed": 1, **network}}
    safetensors.write(tmp_path / "m", {}, {"fastmlp": json.dumps(own)})
    with Meter() as meter, pytest.raises(fm.io.ModelFileError, match="lacks the tensor"):
        fm.load(tmp_path / "m")
    assert meter.taken < CONSTANT_BYTES


def test_a_load_takes_twice_the_size_of_the_file(tmp_path):
    """First values were drawn in float64 and then overwritten: six times the file's size."""
    fm.Sequential(fm.Linear(3000, 2000), seed=1).save(tmp_path / "m")
    with Meter() as meter:
        fm.load(tmp_path / "m")
    assert meter.taken <= 2 * (tmp_path / "m").stat().st_size + CONSTANT_BYTES


def calls_to_make(kind, description):
    """The number of functions that run while a network is made."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        kind.from_description(description)
    finally:
        sys.setprofile(None)
    return count


def chain(n):
    layers = [{"type": "Tanh"}] * n
    return {"type": "Sequential", "dtype": "float32", "seed": 1, "in_features": 3, "layers": layers}


def reversed_chain(n):
    names = ["x", *(f"n{i}" for i in range(n))]
    nodes = [[names[i + 1], {"type": "Tanh"}, [names[i]]] for i in range(n)]
    return {"type": "Graph", "dtype": "float32", "seed": 1, "inputs": {"x": 3},
            "outputs": {"y": names[-1]}, "nodes": nodes[::-1]}  # fmt: skip


@pytest.mark.parametrize(("kind", "describe"), [(fm.Sequential, chain), (fm.Graph, reversed_chain)])
def test_twice_as_many_layers_take_twice_the_work(kind, describe):
    """Each layer was compared with all others: a file of 100 kB could take a minute."""
    calls_to_make(kind, describe(2))
    assert calls_to_make(kind, describe(400)) < 3 * calls_to_make(kind, describe(200))


@pytest.mark.parametrize(
    "dtype", [{"type": "Zeros"}, ",", "\ud800", {}, [], [["a", "f4"]], "f4,f4"]
)
def test_invalid_dtypes_are_refused(dtype):
    """NumPy reads texts as lists of fields and dicts as records, and fails in its own ways."""
    with pytest.raises((fm.ArgumentError, fm.ArgumentTypeError), match="dtype"):
        fm.Sequential(fm.Linear(2, 2), dtype=dtype)


def test_a_file_that_could_not_be_read_is_not_written(tmp_path):
    """A file with more metadata than a reader accepts was written, and could not be read again."""
    net = small_net()
    net.save(tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    with pytest.raises(fm.ArgumentError, match="metadata"):
        net.save(tmp_path / "m", {"text": "x" * safetensors.MAX_HEADER_BYTES})
    assert (tmp_path / "m").read_bytes() == before


def test_penalties_work_with_several_outputs():
    """A penalty outside a training required a network with one output."""
    symbol = fm.Input(3)
    layers = [fm.Linear(3, 2), fm.Linear(3, 4)]
    net = fm.Graph(symbol, {"a": layers[0](symbol), "b": layers[1](symbol)}, seed=0)
    squares = sum(float((layer.W**2).sum()) for layer in layers)
    assert np.isclose(fm.L2(0.5).forward(net), 0.5 * squares)
    net.zero_grad()
    fm.L2(0.5).backward(net)
    for layer in layers:
        np.testing.assert_array_equal(layer.dW, layer.W)


BATCHES = fm.Trainer(small_net(), fm.CrossEntropyLoss(), fm.SGD(lr=0.1))


@pytest.mark.parametrize(
    ("name", "value"),
    [("order", np.arange(12) + 1), ("order", np.arange(13)), ("batch_size", 6),
     ("rates", np.ones(2)), ("losses", np.ones((3, 1))), ("penalties", [1.0])],
)  # fmt: skip
def test_an_epoch_checks_the_arrays_of_its_settings(name, value):
    """The core used the addresses of arrays without a check."""
    steps = {"order": np.arange(12), "batch_size": 4, "rates": np.ones(3)}
    data = BATCHES.checked_data(X, LABELS, None)
    with pytest.raises(fm.ArgumentError, match="rates" if name == "batch_size" else name):
        BATCHES.epoch(data, **{**steps, name: value})


# A number near the zero of the derivative, or where the output saturates, and the reference's name
# for the derivative.
SLOPES = [
    (fm.GELU(), "GELU", -0.7517915), (fm.GELU(approximate="tanh"), "GELUTanh", -0.7524614),
    (fm.SiLU(), "SiLU", -1.2784645), (fm.Mish(), "Mish", -1.1924312), (fm.Tanh(), "Tanh", 12.0),
    (fm.Sigmoid(), "Sigmoid", 40.0), (fm.SELU(), "SELU", -25.0),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "name", "place"), SLOPES, ids=[row[1] for row in SLOPES])
def test_local_gradients_keep_their_precision_where_they_are_small(layer, name, place):
    """They were differences of rounded numbers near 1, or computed from the rounded output."""
    x = np.nextafter(np.float32(place), np.float32([[-100.0], [100.0]]))
    net = fm.Sequential(layer, in_features=1)
    net.forward(x)
    slope = net.backward(np.ones_like(x))
    expected = reference.ACTIVATIONS[name].df(x)
    assert np.allclose(slope, expected, rtol=1e-5, atol=0.0)
