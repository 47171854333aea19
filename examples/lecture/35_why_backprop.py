"""Why backpropagation: all gradients cost about as much as two more forward passes.

Central differences need two forward passes for each weight. Row 10's network has 1000 * 100 +
100 * 10 = 101,000 weights, so that is 202,000 forward passes; backward() needs one pass forward and
one back, whatever the number of weights. Forward, forward with backward, and the differences
of one weight are timed; those of all weights take 101,000 times as long.
"""

import time

import numpy as np
from lecture_support import bars, check, draw, run, same

import fastmlp as fm


def network():
    return fm.Sequential(
        fm.Linear(1000, 100, bias=False), fm.Sigmoid(), fm.Linear(100, 10, bias=False),
        dtype="float64", seed=0,
    )  # fmt: skip


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((64, 1000)), rng.standard_normal((64, 10))


def value(net, x, y):
    return float(np.sum((net.forward(x) - y) ** 2))


def gradients(net, x, y):
    """For all weights: one pass forward, one back."""
    scores = net.forward(x)
    net.backward(2 * (scores - y))
    return net.grads


def differences(net, x, y, weights, h=1e-4):
    """For some weights: two passes forward for each."""
    found = []
    for k in weights:
        kept = net.params[k]
        net.params[k] = kept + h
        above = value(net, x, y)
        net.params[k] = kept - h
        found.append((above - value(net, x, y)) / (2 * h))
        net.params[k] = kept
    return np.array(found)


def seconds(work, times=100):
    """The shortest of some times, with the least disturbance by other programs."""
    shortest = np.inf
    for _ in range(times):
        start = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def main(folder="."):
    net, (x, y) = network(), data()
    check("weights", net.n_parameters, 101_000)
    sample = np.random.default_rng(1).choice(net.n_parameters, 20, replace=False)
    exact = gradients(net, x, y)[sample]
    found = differences(net, x, y, sample)
    same("differences of 20 weights and backward", found, exact, 1e-5 * np.abs(exact).max())

    forward = seconds(lambda: value(net, x, y))
    both = seconds(lambda: gradients(net, x, y))
    every = seconds(lambda: differences(net, x, y, sample[:1]), times=100) * net.n_parameters
    times = {"forward": forward, "with backward": both, "differences of all weights": every}
    for name, spent in times.items():
        print(f"{name:28}{1e3 * spent:14,.2f} ms   {spent / forward:12,.1f}")
    print("Stated: about 1 : 3 : 200,000. The times vary from run to run; that it is two forward")
    print(f"passes a weight does not: {2 * net.n_parameters:,}.")
    draw(folder, "35_why_backprop",
         bars(times, "All gradients of 101,000 weights", [f"{1e3 * t:,.1f} ms"
              for t in times.values()], xscale="log", xlabel="seconds",
              xlim=(forward / 5, every * 50)), size=(7, 3))  # fmt: skip


if __name__ == "__main__":
    run(main)
