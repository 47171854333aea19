"""A circuit for f = 1 / (1 + exp(-(w0 x0 + w1 x1 + w2))), as elementary gates and as one sigmoid.

The lecture's numbers: w0 = 2, x0 = -1, w1 = -3, x1 = -2, w2 = -3. The gates behind the sum are

    f(x) = -x       with local gradient  -1
    f(x) = exp(x)                        exp(x)
    f(x) = 1 + x                         1
    f(x) = 1/x                           -1/x^2

and all four together are the sigmoid, whose local gradient is (1 - f) f. Gates of our own are
objects with forward() and backward(): what the lecture calls the API of a node.
"""

import sys
from pathlib import Path

import numpy as np

import fastmlp as fm

POINT = {"w0": [2.0], "x0": [-1.0], "w1": [-3.0], "x1": [-2.0], "w2": [-3.0]}


class Gate:
    """A function of one value with its local gradient."""

    def __init__(self, function, local_gradient):
        self.function, self.local_gradient = function, local_gradient

    def forward(self, x):
        self.x = x
        return self.function(x)

    def backward(self, upstream):
        return upstream * self.local_gradient(self.x)


def elementary_gates():
    gates = {
        "-x": Gate(lambda x: -x, lambda x: -1),
        "exp": Gate(np.exp, np.exp),
        "1+x": Gate(lambda x: 1 + x, lambda x: 1),
        "1/x": Gate(lambda x: 1 / x, lambda x: -1 / x**2),
    }
    return {name: fm.Custom(gate, name=name) for name, gate in gates.items()}


def circuit(layers):
    """The weighted sum, and behind it these layers by name, one after the other."""
    w0, x0, w1, x1, w2 = inputs = [fm.Input(1, name) for name in POINT]
    products = (w0 * x0).named("w0 x0") + (w1 * x1).named("w1 x1")
    value = (products.named("products") + w2).named("sum")
    for name, layer in layers.items():
        value = layer(value).named(name)
    return fm.Graph(inputs, value, dtype="float64")


def value_and_gradients(net):
    """f, and df/dw0 and so on."""
    f = net.forward(POINT, keep=True)
    return f.item(), {name: dx.item() for name, dx in net.backward([1.0]).items()}


def main(folder="."):
    elementary, sigmoid = circuit(elementary_gates()), circuit({"sigmoid": fm.Sigmoid()})
    for title, net in {"elementary gates": elementary, "one sigmoid gate": sigmoid}.items():
        f, gradients = value_and_gradients(net)
        print(f"{title}: f = {f:.2f}")
        for name, node in net.nodes.items():
            value, gradient = node.output.item(), node.grad.item()
            print(f"    {name:8} value {value:5.2f}, gradient {gradient:5.2f}")
        print("    " + ", ".join(f"df/d{name} = {dx:.2f}" for name, dx in gradients.items()))
    print("The same: a function may be cut into any gates, if each knows its local gradient.")
    elementary.draw(Path(folder) / "05_sigmoid_circuit.png")
    sigmoid.draw(Path(folder) / "05_sigmoid_circuit_one_gate.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
