"""Shared by the tests of the core.

Cases from the core's registries, special shapes, guarded arrays, the rule of comparison, and the
NumPy reference of whole networks.

The rule of comparison (`check`): a result may differ from the float64 reference by ``tolerance *
magnitude``, plus the smallest subnormal, which is the spacing of numbers near 0.

* The tolerance is a column of the registry's row.
* The magnitude is that of the result if all its terms have the same sign. If terms may cancel, it
  is the sum of their absolute values, because each is rounded by a part of its own size.
* For a sum of ``n`` terms the tolerance is `rounding(n)`: every addition rounds once.
"""

from __future__ import annotations

import zlib
from contextlib import contextmanager

import numpy as np

from fastmlp import _core
from fastmlp import reference as ref
from fastmlp.base.node import Node

SEED = 20240607
THREADS = (1, 2, 3, 4, 7)

# (rows, columns): no rows, one column, and sizes adjacent to every vector width and tile.
SHAPES = [(0, 1), (0, 17), (1, 1), (7, 1), (1, 257), (2, 15), (3, 16), (5, 17), (13, 31), (8, 33),
          (31, 5), (67, 64)]  # fmt: skip

ACTIVATIONS = {row["name"]: (kind, row) for kind, row in enumerate(_core.activations())}
LOSSES = {row["name"]: (kind, row) for kind, row in enumerate(_core.losses())}
OPTIMIZERS = {row["name"]: (kind, row) for kind, row in enumerate(_core.optimizers())}


def generator(*key):
    """A random generator that depends only on ``key``, not on the order of the tests."""
    return np.random.default_rng([SEED, zlib.crc32(repr(key).encode())])


@contextmanager
def using_threads(count):
    """Make the core divide even the smallest work among ``count`` threads.

    Odd numbers of threads take work from each other; multiples of four divide each operation, as
    in large steps.
    """
    before = _core.scoped_threads(count)
    _core.ignore_thread_cost(True)
    _core.force_stealing(count % 2 == 1)
    _core.force_ops(count % 4 == 0)
    try:
        yield
    finally:
        _core.ignore_thread_cost(False)
        _core.force_stealing(False)
        _core.force_ops(False)
        _core.scoped_threads(before)


def on_all_thread_counts(call, counts=THREADS):
    """The arrays that ``call()`` returns on one thread; more threads must return the same bits."""
    with using_threads(counts[0]):
        expected = call()
    for count in counts[1:]:
        with using_threads(count):
            found = call()
        for one, other in zip(expected, found, strict=True):
            assert same_bits(one, other), f"other bits on {count} threads"
    return expected


# ---- comparison ----


def column(row, dtype):
    """The tolerance of a registry row for a dtype."""
    return row["tolerance"][dtype == np.float64]


def rounding(additions, dtype):
    """Relative error of a sum with this many additions (Higham 2002, section 3.1)."""
    return (additions + 2) * np.finfo(dtype).eps


def check(actual, expected, tolerance, magnitude=None, what="", spacings=1.0):
    """Assert the rule of comparison; NaN equals NaN, and infinity equals the same infinity.

    ``spacings`` is greater than 1 for a subnormal that was multiplied by that number.
    """
    actual, expected = np.asarray(actual), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, not {expected.shape}"
    size = np.abs(expected) if magnitude is None else np.broadcast_to(magnitude, expected.shape)
    spacing = float(np.finfo(actual.dtype).smallest_subnormal)
    wide = actual.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        error, room = np.abs(wide - expected), tolerance * size + spacings * spacing
        same = (wide == expected) | (np.isnan(wide) & np.isnan(expected))
        wrong = ~(same | (np.isfinite(wide) & (error <= room)))
    if wrong.any():
        worst = np.unravel_index(np.argmax(np.where(wrong, error / room, 0.0)), wrong.shape)
        raise AssertionError(
            f"{what}: {wrong.sum()} of {wrong.size} differ; at {tuple(map(int, worst))} got "
            f"{wide[worst]!r}, want {expected[worst]!r} within {room[worst]:.3g}"
        )


def same_bits(actual, expected):
    """Whether two arrays of one dtype agree bit for bit, NaN with NaN."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    return actual.dtype == expected.dtype and np.array_equal(actual, expected, equal_nan=True)


# ---- arrays ----


class Guarded:
    """Arrays between sentinels: a read past an end gives NaN, a write makes `verify` fail.

    The guards have an odd length, so that the arrays are aligned to their elements only.
    """

    LENGTH = 67

    def __init__(self):
        self._whole = []

    def input(self, values):
        """A copy of ``values``, which must not change."""
        values = np.asarray(values)
        array, whole = self._between_guards(values.shape, values.dtype)
        array[...] = values
        self._whole.append((whole, slice(None), whole.tobytes()))
        return array

    def output(self, shape, dtype):
        """An array for results."""
        array, whole = self._between_guards(shape, np.dtype(dtype))
        for end in (slice(None, self.LENGTH), slice(whole.size - self.LENGTH, None)):
            self._whole.append((whole, end, whole[end].tobytes()))
        return array

    def verify(self):
        for whole, part, before in self._whole:
            assert whole[part].tobytes() == before, "wrote outside an array, or to an input"

    def _between_guards(self, shape, dtype):
        size, sentinel = int(np.prod(shape)), np.nan if dtype.kind == "f" else 2**61 + 12345
        whole = np.full(size + 2 * self.LENGTH, sentinel, dtype)
        return whole[self.LENGTH : self.LENGTH + size].reshape(shape), whole


def integers(rng, shape, dtype, most=3):
    """Small integers: sums of products of them are exact in any order."""
    return rng.integers(-most, most + 1, size=shape).astype(dtype)


# ---- nodes and networks ----


def linear(source, fan_in, fan_out, bias=True):
    return Node("linear", (source,), fan_in, fan_out, bias=bias)


def activation(source, width, name, params=()):
    return Node("activation", (source,), width, width, ACTIVATIONS[name][0], tuple(params))


def plain(op, source, width, p=0.0):
    """A softmax or dropout node."""
    return Node(op, (source,), width, width, params=(p,))


def make_net(n_in, nodes, dtype, seed=0, compute=None):
    return _core.Net([n_in], nodes, [len(nodes) - 1], np.dtype(dtype).name, seed, compute)


def weights(net, index, fan_in, fan_out):
    """Views of a linear node's ``W, b, dW, db``; ``b`` and ``db`` are None without a bias."""
    at_w, at_b = net.places[index]["W"], net.places[index].get("b", -1)
    found = []
    for flat in (net.params, net.grads):
        found.append(flat[at_w : at_w + fan_in * fan_out].reshape(fan_in, fan_out))
        found.append(None if at_b < 0 else flat[at_b : at_b + fan_out])
    W, b, dW, db = found
    return W, b, dW, db


def parameter_choices(row):
    """A row's parameters: the defaults, and other values."""
    defaults = tuple(value for _, value in row["params"])
    return [defaults, tuple(0.3 + 1.7 * value for value in defaults)] if defaults else [()]


def layer_reference(layer, index, width, seed, compute=None):
    """The reference's copy of a public layer."""
    node = layer.node((-1,), (width,))
    if node.op in ("linear", "grouped_linear"):
        bias = layer.b if node.bias else None
        return ref.Linear(layer.W, bias, compute, layer.groups, layer.fold)
    if node.op == "activation":
        row = _core.activations()[node.kind]
        return ref.Activation(row["name"], *node.params[: len(row["params"])])
    return ref.Softmax() if node.op == "softmax" else ref.Dropout(node.params[0], seed, index)


def net_reference(net):
    """The reference's copy of a public network, with its parameters."""
    width, layers = net.in_features, []
    for index, layer in enumerate(net):
        layers.append(layer_reference(layer, index, width, net.seed, net.compute))
        width = layer.width_after(width)
    return ref.Sequential(*layers)


def loss_reference(loss):
    return ref.LOSSES[type(loss).__name__](**loss.arguments())


def optimizer_reference(optimizer, net=None):
    """The reference's optimizer; in a network, with its parameter groups."""
    kind, values = optimizer.core_spec()
    row = _core.optimizers()[kind]
    reference = reference_optimizer(row, values, optimizer.lr)
    if net is not None:
        reference.lr_factor, reference.decay_factor = np.ones((2, net.params.size))
        start = 0
        for end, lr, weight_decay in optimizer.ranges(net):
            reference.lr_factor[start:end], reference.decay_factor[start:end] = lr, weight_decay
            start = end
    return reference


def reference_optimizer(row, values, lr):
    """The reference's optimizer for a registry row and values of its hyperparameters."""
    names = [name for name, _ in row["hyper"]]
    return ref.OPTIMIZERS[row["name"]](lr=lr, **dict(zip(names, values, strict=True)))


def penalty_reference(penalty):
    return ref.PENALTIES[type(penalty).__name__](**penalty.arguments())
