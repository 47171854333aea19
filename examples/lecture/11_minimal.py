"""Script 11, minimal: to change the loss, change the line that makes it."""

import numpy as np

import fastmlp as fm

rng = np.random.default_rng(0)
y = rng.integers(3, size=300)
x = np.array([[0.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])[y] + 0.5 * rng.standard_normal((300, 2))

for loss in (fm.MultiMarginLoss(), fm.CrossEntropyLoss()):
    net = fm.Sequential(fm.Linear(2, 16), fm.Tanh(), fm.Linear(16, 3), seed=0)
    history = fm.fit(net, x, y, loss=loss, penalty=fm.L2(0.01), epochs=100, progress=False)
    right = np.mean(net.predict(x).argmax(axis=1) == y)
    print(f"{loss!r}: loss + penalty {history.loss[-1]:.3f}, {right:.1%} right")
