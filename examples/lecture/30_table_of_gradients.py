"""The table of gradients with vectors and matrices, each from its graph.

    f                       gradient with respect to x
    sum of g o (A x)        A^T g           (the Jacobian of A x is A)
    ||x||^2                 2 x
    x^T A x / 2             A x             if A is symmetric; else (A + A^T) x / 2
    f(A x)                  A^T f'(A x)
    f(x A), x a row         f'(x A) A^T

A is a parameter of the graph, x its input. Every row is computed by backward(), by the formula and
by central differences.
"""

import numpy as np
from lecture_support import draw, image, run, same

import fastmlp as fm

SIZE = 3


def numbers(seed=0):
    """A matrix, a symmetric one, x, and upstream gradients g."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((SIZE, SIZE))
    return A, (A + A.T) / 2, rng.standard_normal(SIZE), rng.standard_normal(SIZE)


def product(A):
    """The node A x, the parameter A, and the input x."""
    w, x = fm.Parameter(*A.shape, name="A"), fm.Input(A.shape[1], "x")
    return x, fm.MatMul()(w, x)


def graph(A, build):
    """The network of ``build(x, A x)``."""
    x, Ax = product(A)
    net = fm.Graph(x, build(x, Ax), dtype="float64")
    if "A" in net.nodes:
        net["A"].W = A
    return net


def row_times(A, layer):
    """f(x A) for a row x: A is the weight matrix of a Linear."""
    net = fm.Sequential(fm.Linear(*A.shape, bias=False), layer, fm.Linear(len(A), 1, bias=False),
                        dtype="float64")  # fmt: skip
    net[0].W, net[2].W = A, np.ones((len(A), 1))
    return net


def gradient(net, x, upstream=(1.0,)):
    net.forward(x)
    return net.backward(list(upstream))


def central_differences(net, x, upstream=(1.0,), h=1e-5):
    found = np.zeros_like(x)
    for k in range(len(x)):
        step = np.zeros_like(x)
        step[k] = h
        found[k] = np.dot(net.predict(x + step) - net.predict(x - step), upstream) / (2 * h)
    return found


def table_of_gradients():
    """For each row of the table: the network, the upstream gradient, the formula's gradient."""
    A, S, x, g = numbers()

    def half_form(x, Ax):
        return fm.Sum()(x * Ax)

    def squares(x, Ax):
        return fm.Sum()(fm.Square()(Ax))

    tanh = 1 - np.tanh(A @ x) ** 2
    return x, {
        "A x": (graph(A, lambda x, Ax: Ax), g, A.T @ g),
        "||x||^2": (graph(np.eye(SIZE), squares), [1.0], 2 * x),
        "x^T A x / 2, symmetric": (graph(S, half_form), [0.5], S @ x),
        "x^T A x / 2": (graph(A, half_form), [0.5], (A + A.T) @ x / 2),
        "f(A x), f = sum of tanh": (
            graph(A, lambda x, Ax: fm.Sum()(fm.Tanh()(Ax))), [1.0], A.T @ tanh,
        ),
        "f(x A), f = sum of tanh": (
            row_times(A, fm.Tanh()), [1.0], (1 - np.tanh(x @ A) ** 2) @ A.T,
        ),
    }  # fmt: skip


def main(folder="."):
    x, rows = table_of_gradients()
    for name, (net, upstream, formula) in rows.items():
        ours = gradient(net, x, upstream)
        print(f"{name:26} gradient {np.array2string(ours, precision=5, suppress_small=True)}")
        same("    off the formula", ours, formula, 1e-14)
        same("    off central differences", ours, central_differences(net, x, upstream), 1e-8)
    A, S = numbers()[:2]
    print("Where A is not symmetric, A x alone would be wrong by",
          f"{np.abs(A @ x - (A + A.T) @ x / 2).max():.2f}")  # fmt: skip
    limit = {"digits": 2, "cmap": "RdBu", "vmin": -2.5, "vmax": 2.5}
    draw(folder, "30_table_of_gradients", image(A, "A", **limit), image(A.T, "$A^T$", **limit),
         image(S, "$(A + A^T) / 2$, the part\nthat $x^T A x$ sees", **limit),
         size=(2.6, 2.9))  # fmt: skip


if __name__ == "__main__":
    run(main)
