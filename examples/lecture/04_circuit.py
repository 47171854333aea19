"""The first circuit of backpropagation: f = (x + y) z at x = -2, y = 5, z = -4.

With q = x + y and f = q z, the chain rule gives, from the output back to the inputs,

    df/dq = z,  df/dz = q,  df/dx = df/dq * dq/dx = z * 1,  df/dy = z * 1

Each gate multiplies the gradient that comes from above, upstream, by its local gradient.
"""

from lecture_support import check, run

import fastmlp as fm

POINT = {"x": [-2.0], "y": [5.0], "z": [-4.0]}


def circuit():
    x, y, z = (fm.Input(1, name) for name in "xyz")
    q = (x + y).named("q")
    f = (q * z).named("f")
    return fm.Graph([x, y, z], f, dtype="float64")


def values_and_gradients(net):
    """q and f, and the gradients of f with respect to q, x, y and z."""
    f = net.forward(POINT, keep=True)  # keep stores the intermediate values
    downstream = net.backward([1.0])  # backward starts with df/df = 1
    values = {"q": net["q"].output.item(), "f": f.item()}
    gradients = {"q": net["q"].grad.item()}
    return values, gradients | {name: dx.item() for name, dx in downstream.items()}


def main(folder="."):
    net = circuit()
    values, gradients = values_and_gradients(net)
    check("q, f", list(values.values()), [3, -12])
    check("df/dq, df/dx, df/dy, df/dz", list(gradients.values()), [-4, -4, -4, 3])
    net.draw(f"{folder}/04_circuit.svg")


if __name__ == "__main__":
    run(main)
