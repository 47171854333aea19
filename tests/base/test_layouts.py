"""Any layout and any real dtype of an array gives the same bits as the plain array."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bad_values import NEEDED, ROWS, WIDTH, misaligned, subclasses
from tests.harness import LOSSES
from tests.loss_problems import FIELDS, PLAIN, columns, width_of

import fastmlp as fm


def strided(x):
    array = np.zeros([3 * n for n in x.shape], x.dtype)
    every = tuple(slice(None, None, 3) for _ in x.shape)
    array[every] = x
    return array[every]


def backwards(x):
    every = tuple(slice(None, None, -1) for _ in x.shape)
    return x[every].copy()[every]


def locked(x):
    array = x.copy()
    array.flags.writeable = False
    return array


def foreign(x):
    """An object with __array__ and nothing else."""

    class Foreign:
        def __array__(self, dtype=None, copy=None):
            return x.astype(dtype or x.dtype)

    return Foreign()


LAYOUTS = {
    "list": lambda x: x.tolist(),
    "fortran": np.asfortranarray,
    "strided": strided,
    "reversed": backwards,
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape))[1],
    "misaligned": misaligned,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "read-only": locked,
    "__array__": foreign,
    "misaligned and swapped": lambda x: misaligned(x.astype(x.dtype.newbyteorder())),
    "float64": lambda x: x.astype(np.float64),
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "int8": lambda x: x.astype(np.int8),
    "uint64": lambda x: x.astype(np.uint64),
    "bool": lambda x: x.astype(bool),
}
BITS = (np.arange(ROWS * WIDTH).reshape(ROWS, WIDTH) % 5 % 2).astype(
    np.float64
)  # exact even as bool


def transcript(dtype, give):
    """The bytes of everything that data flow into, with each array in the chosen layout."""
    x, y, weight = (
        give(BITS.astype(dtype)),
        give(BITS[:, 1].astype(np.int64)),
        give(BITS[:, 0] * 1.0),
    )
    net = fm.Sequential(fm.Linear(WIDTH, 5), fm.Tanh(), fm.Linear(5, 2), dtype=dtype, seed=1)
    trainer = fm.Trainer(net, fm.CrossEntropyLoss(), fm.Adam(lr=0.05))
    found = [net.predict(x), net.forward(x), net.backward(give(BITS[:, :2].astype(dtype)))]
    found += [trainer.step(x, y, weight)]
    found += trainer.fit(x, y, sample_weight=weight, validation=(x, y, weight), epochs=2,
                         batch_size=4, progress=False).val_loss  # fmt: skip
    regression = fm.Trainer(net, fm.MSELoss(), fm.SGD(lr=0.05, momentum=0.9))
    found += [regression.step(x, give(BITS[:, 2:].astype(dtype)))]
    net[0].W = give(BITS[:, :5].T[:WIDTH, :1].repeat(5, 1).astype(dtype))
    return [np.asarray(value).tobytes() for value in [*found, net.params, net.grads]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_give_the_same_bits(layout, dtype):
    assert transcript(dtype, LAYOUTS[layout]) == transcript(dtype, np.ascontiguousarray)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", sorted(cls.__name__ for cls in subclasses(fm.Loss)))
def test_losses_take_any_layout(name, layout):
    give = LAYOUTS[layout]
    loss = getattr(fm, name)(**NEEDED.get(name, {}))
    scores = BITS[:, 2:] if name in PLAIN else np.tile(BITS, 6)[:, : width_of(loss)]
    y = BITS[:, 0] if LOSSES[name][1]["target"] == "class" else BITS[:, :2]
    if name in FIELDS:
        y = np.tile(BITS, 6)[:, : columns(loss, scores.shape[1])]

    def run(give_scores, give):
        value = loss.forward(give_scores(scores), give(y), give(BITS[:, 1]))
        return value, loss.backward().tobytes()

    assert run(np.ascontiguousarray, give) == run(np.ascontiguousarray, np.ascontiguousarray)
