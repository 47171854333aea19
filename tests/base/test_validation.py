"""Arguments of users: every layout of an array is accepted; errors name the bad argument."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp as fm

N, WIDTH, CLASSES = 6, 4, 3
X = np.arange(24.0).reshape(N, WIDTH) / 8.0  # exact in float32
Y = np.array([0, 1, 2, 0, 1, 2])


def make(dtype="float32"):
    return fm.Sequential(fm.Linear(WIDTH, 5), fm.Tanh(), fm.Linear(5, CLASSES), dtype=dtype, seed=0)


def misaligned(x):
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    array = buffer[1:].view(x.dtype).reshape(x.shape)
    array[...] = x
    return array


def read_only(x):
    array = x.copy()
    array.flags.writeable = False
    return array


def strided(x):
    array = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    array[::2, ::3] = x
    return array[::2, ::3]


LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": strided,
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "misaligned": misaligned,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "read-only": read_only,
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(map(tuple, x.tolist())),
    "subclass": lambda x: x.view(np.recarray),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, given, dtype):
    net = make(dtype)
    expected = net.predict(X.astype(dtype))
    x = LAYOUTS[layout](X.astype(given))
    assert np.array_equal(net.predict(x), expected)
    assert np.array_equal(net.forward(x), expected)
    dy = LAYOUTS[layout](np.ones((N, CLASSES), given))
    assert net.backward(dy).dtype == dtype


@pytest.mark.parametrize("given", ["int8", "uint8", "int64", "bool", "float16", "longdouble"])
def test_real_dtypes_convert(given):
    net = make()
    x = (X > 1).astype(given)
    assert np.array_equal(net.predict(x), net.predict(x.astype(np.float32)))


UNFIT = [
    (X.astype(complex), TypeError, "got dtype complex128"),
    (X.astype(object), TypeError, "got dtype object"),
    (X.astype(str), TypeError, "got dtype <U"),
    (X.astype("datetime64[s]"), TypeError, r"got dtype datetime64\[s\]"),
    (None, TypeError, "got dtype object"),
    ("text", TypeError, "got dtype <U4"),
    ([[1.0, 2.0], [3.0]], ValueError, "rows of unequal length"),
    (np.ma.masked_less(X, 1.0), ValueError, "masked"),
    (3.0, ValueError, r"got shape \(\)"),
    (X[:, :3], ValueError, "got 3 columns; want 4"),
    (X[:, :0], ValueError, "got 0 columns; want at least one feature"),
]


@pytest.mark.parametrize(("x", "error", "message"), UNFIT)
def test_unfit_rows(x, error, message):
    net = make()
    before = net.params.copy()
    trainer = fm.Trainer(net, fm.CrossEntropyLoss())
    for call in (
        lambda: net.predict(x),
        lambda: net.forward(x, training=True),
        lambda: trainer.step(x, Y),
        lambda: trainer.fit(x, Y, progress=False),
        lambda: trainer.fit(X, Y, validation=(x, Y), progress=False),
    ):
        with pytest.raises(error, match=f"x: .*{message}") as caught:
            call()
        assert isinstance(caught.value, fm.FastMLPError)
    assert np.array_equal(net.params, before)
    assert net.step_count == 0


@pytest.mark.parametrize("loss", [fm.CrossEntropyLoss(), fm.MultiMarginLoss()], ids=repr)
@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (Y - 1, ValueError, r"y: got label -1 at row 0; want 0 to 2 \(3 classes\)"),
        (Y + 1, ValueError, "y: got label 3 at row 2"),
        (Y + 0.5, ValueError, "y: got 0.5; want integral class labels"),
        ([0, 1, 2, 0, 1, np.nan], ValueError, "y: got nan; want integral"),
        ([0, 1, 2, 0, 1, np.inf], ValueError, "y: got inf; want integral"),
        ([2**63] * 6, ValueError, "y: got 9223372036854775808"),
        (Y[:5], ValueError, "y: got 5 rows; want 6"),
        (Y[:, None], ValueError, r"y: got shape \(6, 1\); want class labels \(6,\); use ravel"),
        (["a"] * 6, TypeError, "y: got dtype <U1"),
        (Y.astype(complex), TypeError, "y: got dtype complex128"),
    ],
)
def test_unfit_labels(loss, y, error, message):
    net = make()
    before = net.params.copy()
    with pytest.raises(error, match=message):
        loss.forward(net.predict(X), y)
    with pytest.raises(error, match=message):
        fm.Trainer(net, loss).step(X, y)
    with pytest.raises(error, match=message):
        fm.fit(net, X, y, loss=loss, progress=False)
    assert np.array_equal(net.params, before)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64", "int32", ">i8", "float32", "float64"])
def test_label_dtypes(dtype):
    loss, scores = fm.CrossEntropyLoss(), make().predict(X)
    assert loss.forward(scores, Y.astype(dtype)) == loss.forward(scores, Y)
    assert loss.forward(scores, Y.astype(dtype)[::-1][::-1]) == loss.forward(scores, Y)


@pytest.mark.parametrize("loss", [fm.MSELoss(), fm.L1Loss(), fm.HuberLoss()], ids=repr)
@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (Y, ValueError, r"y: got shape \(6,\); want \(6, 3\)"),
        (np.ones((6, 2)), ValueError, r"y: got shape \(6, 2\); want \(6, 3\)"),
        (np.ones((5, 3)), ValueError, "y: got 5 rows; want 6"),
        (np.ones((6, 3), complex), TypeError, "y: got dtype complex128"),
    ],
)
def test_unfit_real_targets(loss, y, error, message):
    with pytest.raises(error, match=message):
        loss.forward(make().predict(X), y)
    with pytest.raises(error, match=message):
        fm.Trainer(make(), loss).step(X, y)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (fm.BCEWithLogitsLoss(), [[0.0, 1.0, 1.5]], "y: got values from 0.0 to 1.5; want 0 to 1"),
        (fm.BCEWithLogitsLoss(), [[0.0, 1.0, -1.0]], "y: got values from -1.0 to 1.0"),
        (fm.BCEWithLogitsLoss(), [[0.0, 1.0, np.nan]], "y: got values from nan"),
        (fm.PoissonNLLLoss(), [[0.0, 1.0, -1.0]], "y: got -1.0; want counts of at least 0"),
        (fm.QuantileLoss([0.1, 0.9]), [[0.0, 1.0, 1.0]], "got 3 columns; want a multiple of 2"),
    ],
)
def test_targets_out_of_range(loss, y, message):
    with pytest.raises(fm.ArgumentError, match=message):
        loss.forward(np.zeros((1, 3)), y)


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.ones(5), ValueError, "sample_weight: got 5 rows; want 6"),
        (np.ones((6, 1)), ValueError, r"sample_weight: got shape \(6, 1\); want \(6,\)"),
        (1.0, ValueError, r"sample_weight: got shape \(\)"),
        (["1"] * 6, TypeError, "sample_weight: got dtype <U1"),
    ],
)
def test_unfit_weights(weight, error, message):
    loss = fm.CrossEntropyLoss()
    for call in (
        lambda: loss.forward(np.zeros((6, 3)), Y, weight),
        lambda: loss.score(np.zeros((6, 3)), Y, weight),
        lambda: fm.Trainer(make(), loss).step(X, Y, weight),
        lambda: fm.fit(make(), X, Y, loss=loss, sample_weight=weight, progress=False),
    ):
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "y", "sample_weight", "validation x", "validation y"])
def test_fit_checks_finiteness(where, bad):
    arrays = {
        "x": X.copy(),
        "y": np.ones((N, CLASSES)),
        "sample_weight": np.ones(N),
        "validation x": X.copy(),
        "validation y": np.ones((N, CLASSES)),
    }
    arrays[where].reshape(-1)[3] = bad

    def fit(**options):
        net = make()
        before = net.params.copy()
        try:
            fm.fit(
                net,
                arrays["x"],
                arrays["y"],
                loss=fm.MSELoss(),
                sample_weight=arrays["sample_weight"],
                validation=(arrays["validation x"], arrays["validation y"]),
                epochs=2,
                progress=False,
                **options,
            )
        except fm.ArgumentError:
            assert np.array_equal(net.params, before)
            raise

    with pytest.raises(fm.ArgumentError, match=f"{where}: got {bad} at index .*check_finite=False"):
        fit()
    if where.startswith("validation"):
        fit(check_finite=False)
    else:
        with pytest.warns(RuntimeWarning, match="the training loss is"):
            fit(check_finite=False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": -1}, ValueError, "epochs: got -1; want 0"),
        ({"epochs": 1.0}, TypeError, "epochs: got 1.0; want an integer"),
        ({"epochs": True}, TypeError, "epochs: got True; want an integer"),
        ({"batch_size": 0}, ValueError, "batch_size: got 0; want 1"),
        ({"batch_size": -3}, ValueError, "batch_size: got -3"),
        ({"batch_size": 2.5}, TypeError, "batch_size: got 2.5"),
        ({"shuffle": "yes"}, TypeError, "shuffle: got 'yes'; want True or False"),
        ({"seed": -1}, ValueError, "seed: got -1"),
        ({"progress": 1}, TypeError, "progress: got 1"),
        ({"callbacks": [print]}, TypeError, "callbacks: got .*on_epoch_end"),
        ({"callbacks": 3}, TypeError, "callbacks: got 3"),
        ({"schedule": 0.1}, TypeError, "schedule: got 0.1"),
        ({"penalty": 0.1}, TypeError, "penalty: got 0.1; want L2"),
        ({"loss": "mse"}, TypeError, "loss: got 'mse'; want a loss"),
        ({"loss": fm.MSELoss}, TypeError, "loss: .*parentheses"),
        ({"optimizer": "adam"}, TypeError, "optimizer: got 'adam'"),
        ({"validation": 1.0}, ValueError, "validation: got 1.0"),
        ({"validation": 0.999}, ValueError, "validation: .*leaves none to train"),
        ({"validation": (X,)}, ValueError, "validation: got a tuple of 1; want"),
        ({"validation": "half"}, TypeError, "validation: got 'half'"),
        ({"validation": (X[:0], Y[:0])}, ValueError, "validation x: got 0 rows"),
        ({"validation": (X, Y[:3])}, ValueError, "y: got 3 rows; want 6"),
    ],
)
def test_unfit_options(options, error, message):
    net = make()
    before = net.params.copy()
    options = {"loss": fm.CrossEntropyLoss(), "progress": False, **options}
    with pytest.raises(error, match=message):
        fm.fit(net, X, Y, **options)
    assert np.array_equal(net.params, before)


def test_no_rows_to_train_on():
    for call in (
        lambda: fm.fit(make(), X[:0], Y[:0], loss=fm.CrossEntropyLoss(), progress=False),
        lambda: fm.Trainer(make(), fm.CrossEntropyLoss()).step(X[:0], Y[:0]),
    ):
        with pytest.raises(fm.ArgumentError, match="x: got 0 rows; want at least one"):
            call()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fm.SGD(lr=-1.0), ValueError, "lr: got -1.0; want a finite number >= 0"),
        (lambda: fm.SGD(lr=np.nan), ValueError, "lr: got nan"),
        (lambda: fm.Adam(lr=np.inf), ValueError, "lr: got inf"),
        (lambda: fm.Adam(lr="fast"), TypeError, "lr: got 'fast'; want a real number"),
        (lambda: fm.Adam(betas=(0.9, 1.0)), ValueError, "betas: got 1.0; .*>= 0 and < 1"),
        (lambda: fm.Adam(betas=0.9), ValueError, "betas: got 0.9; want two numbers"),
        (lambda: fm.SGD(momentum=-0.1), ValueError, "momentum: got -0.1"),
        (lambda: fm.SGD(nesterov=True), ValueError, "nesterov: needs momentum"),
        (lambda: fm.Adam(clip_norm=0), ValueError, "clip_norm: got 0.0; .*> 0"),
        (lambda: fm.Adam("net"), TypeError, "net: got 'net'"),
        (lambda: fm.SGD(0.1, 0.9), TypeError, "net: got 0.1"),
        (lambda: fm.LBFGS(max_iter=0), ValueError, "max_iter: got 0"),
        (lambda: fm.L2(-1.0), ValueError, "lam: got -1.0"),
        (lambda: fm.Lp(0.0, 1.0), ValueError, "p: got 0.0"),
        (lambda: fm.MSELoss(reduction="none"), ValueError, "reduction: got 'none'; want one of"),
        (lambda: fm.CrossEntropyLoss(1.5), ValueError, "label_smoothing: got 1.5"),
        (lambda: fm.HuberLoss(0.0), ValueError, "delta: got 0.0"),
        (lambda: fm.QuantileLoss([0.5, 1.0]), ValueError, "quantiles: got 1.0"),
        (lambda: fm.QuantileLoss([]), ValueError, "quantiles: got none"),
        (lambda: fm.StepLR(0), ValueError, "step_size: got 0"),
        (lambda: fm.EarlyStopping(monitor="accuracy"), ValueError, "monitor: got 'accuracy'"),
        (lambda: fm.EarlyStopping(patience=-1), ValueError, "patience: got -1"),
        (lambda: fm.threads(0), ValueError, "n: got 0; want 1"),
        (lambda: fm.set_num_threads(1.5), TypeError, "n: got 1.5"),
        (lambda: fm.LeakyReLU(np.nan), ValueError, "negative_slope: got nan"),
        (lambda: fm.LeakyReLU("0.1"), TypeError, "negative_slope: got '0.1'"),
    ],
)
def test_unfit_numbers_and_names(make, error, message):
    with pytest.raises(error, match=message) as caught:
        make()
    assert isinstance(caught.value, fm.FastMLPError)


def test_standalone_layer_input():
    for x, got in (
        (3.0, "shape"),
        (np.ones((2, 2, 0)), "0 columns"),
        (np.ones((2, 0)), "0 columns"),
    ):
        with pytest.raises(fm.ArgumentError, match=f"x: got {got}"):
            fm.ReLU().forward(x)
    with pytest.raises(fm.ArgumentTypeError, match="x: got dtype complex128"):
        fm.ReLU().forward([1j])
