"""Jacobians, and why backward() never makes one.

For vectors x and y the notes write the derivatives as a matrix (dy/dx)[n, m] = dy_m/dx_n: a row for
each input and a column for each output, so that the gradient is dx = (dy/dx) dy, a product with the
upstream gradient. net.jacobian(x) has the other order, [m, n], a row for each output, as most
textbooks and automatic differentiation have it: its transpose is the notes'.

A ReLU works element by element, so its Jacobian is diagonal, with 1 where x > 0. The product with
it needs no matrix: dx = (x > 0) o dz, the Hadamard product.
"""

import numpy as np
from lecture_support import check, draw, image, run, same

import fastmlp as fm

X, UPSTREAM = np.array([1.0, -2.0, 3.0, -1.0]), np.array([4.0, -1.0, 5.0, 9.0])
STATED = [4.0, 0.0, 5.0, 0.0]


def relu():
    """dx three times: from the notes' Jacobian, from the Hadamard product and from backward."""
    net = fm.Sequential(fm.ReLU(), in_features=4, dtype="float64")
    notes = net.jacobian(X).T  # (dy/dx)[n, m]
    net.forward(X)
    return notes @ UPSTREAM, (X > 0) * UPSTREAM, net.backward(UPSTREAM), notes


def network():
    return fm.Sequential(
        fm.Linear(4, 6), fm.Tanh(), fm.Linear(6, 5), fm.ReLU(), fm.Linear(5, 3),
        dtype="float64", seed=0,
    )  # fmt: skip


def by_chain_rule(net, x):
    """The product of the layers' Jacobians: W^T of a Linear, a diagonal of an activation."""
    product = np.eye(len(x))
    net.forward(x, keep=True)
    for layer in net.layers:
        if isinstance(layer, fm.Linear):
            factor = layer.W.T
        else:
            y = layer.output[0]
            factor = np.diag(1 - y**2 if isinstance(layer, fm.Tanh) else (y > 0).astype(float))
        product = factor @ product
    return product


def by_central_differences(net, x, h=1e-5):
    steps = h * np.eye(len(x))
    return (net.predict(x + steps) - net.predict(x - steps)).T / (2 * h)


def main(folder="."):
    by_matrix, hadamard, backward, notes = relu()
    check("ReLU, the notes' Jacobian times dL/dz", by_matrix, STATED)
    check("ReLU, Hadamard product", hadamard, STATED)
    check("ReLU, backward", backward, STATED)

    net = network()
    J = net.jacobian(X)
    print(f"A network 4-6-5-3: its Jacobian has the shape {J.shape}")
    same("  the chain rule of matrices", J, by_chain_rule(net, X))
    same("  central differences", J, by_central_differences(net, X), 1e-8)
    net.forward(X)
    g = np.array([1.0, -2.0, 0.5])
    same("  J^T g and backward(g)", J.T @ g, net.backward(g))
    print("backward() gives J^T g for the price of one pass, and J is made of as many as outputs.")
    colours = {"digits": 0, "cmap": "Blues", "vmin": 0, "vmax": 2}
    draw(folder, "27_jacobians", image(notes, "ReLU: diagonal", **colours),
         image(J.T, "4-6-5-3, $(dy/dx)[n, m]$", digits=2, cmap="RdBu", vmin=-2, vmax=2),
         size=(3.4, 3.4))  # fmt: skip


if __name__ == "__main__":
    run(main)
