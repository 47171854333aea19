"""A circuit for f = 1 / (1 + exp(-(w0 x0 + w1 x1 + w2))), as elementary gates and as one sigmoid.

The lecture's numbers: w0 = 2, x0 = -1, w1 = -3, x1 = -2, w2 = -3. The gates behind the sum are

    f(x) = -x       with local gradient  -1
    f(x) = exp(x)                        exp(x)
    f(x) = 1 + x                         1
    f(x) = 1/x                           -1/x^2

and all four together are the sigmoid, whose local gradient is (1 - f) f. Custom gates are objects
with forward() and backward(), which the lecture calls the API of a node.

The slides show 0.40, -0.40 and -0.60, but 0.39, -0.39 and -0.59 are right: the slides round after
every gate, 0.20 * 2 = 0.40, while the gradient is 0.1966 * 2 = 0.3932.
"""

import numpy as np
from lecture_support import check, run, same, table

import fastmlp as fm

POINT = {"w0": [2.0], "x0": [-1.0], "w1": [-3.0], "x1": [-2.0], "w2": [-3.0]}
STATED = {"w0": -0.20, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.20}


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
    """The weighted sum, followed by these layers by name, one after the other."""
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


def flat(w0, x0, w1, x1, w2):
    """The lecture's flat code: every line of forward has its line of backward, in reverse."""
    s0 = w0 * x0
    s1 = w1 * x1
    s2 = s0 + s1
    s3 = s2 + w2
    f = 1 / (1 + np.exp(-s3))

    grad_f = 1.0
    grad_s3 = grad_f * (1 - f) * f
    grad_w2 = grad_s3
    grad_s2 = grad_s3
    grad_s0 = grad_s2
    grad_s1 = grad_s2
    grad_w1, grad_x1 = grad_s1 * x1, grad_s1 * w1
    grad_w0, grad_x0 = grad_s0 * x0, grad_s0 * w0
    return f, {"w0": grad_w0, "x0": grad_x0, "w1": grad_w1, "x1": grad_x1, "w2": grad_w2}


def main(folder="."):
    elementary, sigmoid = circuit(elementary_gates()), circuit({"sigmoid": fm.Sigmoid()})
    f, gradients = value_and_gradients(elementary)
    table(["gate", "value", "gradient"],
          [(name, f"{node.output.item():.2f}", f"{node.grad.item():.2f}")
           for name, node in elementary.nodes.items()])  # fmt: skip
    check("f", f, 0.73, 0.005)
    for name, stated in STATED.items():
        check(f"df/d{name}", gradients[name], stated, 0.005)
    ours = [f, *gradients.values()]
    for name, (value, found) in {
        "one sigmoid gate": value_and_gradients(sigmoid),
        "flat code": flat(*(v[0] for v in POINT.values())),
    }.items():
        same(f"elementary gates and {name}", ours, [value, *found.values()])  # fmt: skip
    print("The same: a function may be cut into any gates, if each knows its local gradient.")
    elementary.draw(f"{folder}/05_sigmoid_circuit.svg")
    sigmoid.draw(f"{folder}/05_sigmoid_circuit_one_gate.svg")


if __name__ == "__main__":
    run(main)
