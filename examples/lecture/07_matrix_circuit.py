"""Backpropagation with vectors and matrices: f = sum((W x)^2).

The lecture, with q = W x and W = [[0.1, 0.5], [-0.3, 0.8]], x = [0.2, 0.4]:

    f     = q1^2 + q2^2
    df/dq = 2 q            with q's shape, like every gradient
    df/dW = 2 q x^T
    df/dx = W^T 2 q

backward() computes them node by node; the script compares them with the formulas.
"""

import numpy as np
from lecture_support import check, run

import fastmlp as fm

W = np.array([[0.1, 0.5], [-0.3, 0.8]])
X = np.array([0.2, 0.4])


def circuit():
    """The graph of f; W is a parameter, x an input."""
    w, x = fm.Parameter(2, 2, name="W"), fm.Input(2, "x")
    q = fm.MatMul()(w, x).named("q")
    f = fm.Sum()(fm.Square()(q).named("q^2")).named("f")
    net = fm.Graph(x, f, dtype="float64")
    net["W"].W = W
    return net


def by_backward(net):
    """q, f and the three gradients, by forward and backward of the graph."""
    f = net.forward(X, keep=True)
    dx = net.backward([1.0])
    q, dW = net["q"], net["W"].dW
    return {"q": q.output[0], "f": f.item(), "df/dq": q.grad[0], "df/dW": dW, "df/dx": dx}


def by_formula():
    """The same from the formulas above."""
    q = W @ X
    dq = 2 * q
    return {"q": q, "f": np.sum(q**2), "df/dq": dq, "df/dW": np.outer(dq, X), "df/dx": W.T @ dq}


def main(folder="."):
    net = circuit()
    formula = by_formula()
    for name, value in by_backward(net).items():
        check(name, value, formula[name], 1e-15)
    net.draw(f"{folder}/07_matrix_circuit.svg")


if __name__ == "__main__":
    run(main)
