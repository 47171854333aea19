"""Leading dimensions: a linear layer works on the last dimension; any others may precede it.

A Linear(4, 3) maps vectors of 4 numbers to vectors of 3. Given (2, 5, 4), 2 sequences of 5 vectors
say, it gives (2, 5, 3), and backward() takes (2, 5, 3) and gives (2, 5, 4): as with PyTorch's
nn.Linear. It is the same as one list of 10 vectors, which is divided again afterwards.
"""

import numpy as np
from lecture_support import check, draw, image, run, same

import fastmlp as fm


def both_ways(leading=(2, 5)):
    """y, dx and dW of a layer: with leading dimensions, and with reshaped arrays."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((*leading, 4)), rng.standard_normal((*leading, 3))
    layer = fm.Linear(4, 3, dtype="float64", seed=0)
    with_dimensions = layer.forward(x), layer.backward(dy), layer.dW.copy()
    y = layer.forward(x.reshape(-1, 4)).reshape(*leading, 3)
    dx = layer.backward(dy.reshape(-1, 3)).reshape(*leading, 4)
    return with_dimensions, (y, dx, layer.dW.copy())


def by_formula(leading=(2, 5)):
    """dW is a sum over all leading dimensions."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((*leading, 4)), rng.standard_normal((*leading, 3))
    return np.einsum("abi,abj->ij", x, dy)


def train(shape):
    """Learn the mean of three adjacent values in 40 sequences of 25; return the losses."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((40, 27))
    x = np.stack([values[:, :-2], values[:, 1:-1], values[:, 2:]], axis=-1)  # (40, 25, 3)
    y = x.mean(axis=-1, keepdims=True)
    net = fm.Sequential(fm.Linear(3, 8), fm.Tanh(), fm.Linear(8, 1), dtype="float64", seed=0)
    history = fm.fit(net, x.reshape(*shape, 3), y.reshape(*shape, 1), loss=fm.MSELoss(),
                     optimizer=fm.Adam(lr=0.01), epochs=20, batch_size=50, seed=0,
                     progress=False)  # fmt: skip
    return history.loss, net.predict(x).shape


def main(folder="."):
    ours, reshaped = both_ways()
    for name, a, b in zip(("y", "dx", "dW"), ours, reshaped, strict=True):
        print(f"{name} has the shape {a.shape}")
        check(f"  {name}, largest difference from reshaping", np.abs(a - b).max(), 0.0)
    same("  dW and the sum over both leading dimensions", ours[2], by_formula())
    for leading in ((), (7,), (3, 1, 2), (0, 5)):
        shapes = [part.shape for part in both_ways(leading)[0][:2]]
        print(f"leading dimensions {leading}: y {shapes[0]}, dx {shapes[1]}")
    (losses, shape), (flat, _) = train((40, 25)), train((1000,))
    check("losses of fit, (40, 25, 3) and (1000, 3)", losses[::5], flat[::5])
    print(f"the trained network's predictions have the shape {shape}")
    y = ours[0]
    colours = {"cmap": "RdBu", "vmin": -5, "vmax": 5, "digits": 1}
    draw(folder, "38_leading_dimensions", image(y[0], "y[0] of (2, 5, 3)", **colours),
         image(y[1], "y[1]", **colours), image(y.reshape(10, 3), "reshaped, (10, 3)", **colours),
         size=(2.6, 4))  # fmt: skip


if __name__ == "__main__":
    run(main)
