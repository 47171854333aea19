"""Script 10, minimal: a two-layer network trained by hand, with layers."""

import numpy as np

import fastmlp as fm

rng = np.random.default_rng(0)
x, y = rng.standard_normal((64, 1000)), rng.standard_normal((64, 10))
net = fm.Sequential(fm.Linear(1000, 100, bias=False), fm.Sigmoid(), fm.Linear(100, 10, bias=False))

for step in range(2000):
    y_pred = net.forward(x)
    net.backward(2 * (y_pred - y))
    net.params[...] -= 1e-4 * net.grads
    if step % 200 == 0:
        print(step, np.square(y_pred - y).sum())
