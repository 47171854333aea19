"""What gates do to gradients: add distributes, multiply swaps, copy adds, max routes.

The lecture's patterns, for an upstream gradient g:

    a + b       both inputs get g
    a * b       a gets g * b, and b gets g * a: the values change places
    copy        one input, two outputs: it gets the sum of both upstream gradients
    max(a, b)   the larger input gets g, the other 0

If a = b, max has no derivative, and the lecture does not treat this case. fastmlp gives g to a.
"""

from lecture_support import run, table

import fastmlp as fm

INPUTS = {"a1": 3.0, "b1": 4.0, "a2": 2.0, "b2": 3.0, "c": 7.0, "a3": 4.0, "b3": 5.0}
UPSTREAM = {"add": 2.0, "multiply": 5.0, "copy 1": 4.0, "copy 2": 2.0, "max": 9.0}

# The circuits: their inputs and outputs.
CIRCUITS = {
    "add": (["a1", "b1"], ["add"]),
    "multiply": (["a2", "b2"], ["multiply"]),
    "copy": (["c"], ["copy 1", "copy 2"]),
    "max": (["a3", "b3"], ["max"]),
}


def gates():
    """One graph of four circuits that do not touch each other."""
    a1, b1, a2, b2, c, a3, b3 = inputs = [fm.Input(1, name) for name in INPUTS]
    copy = fm.Copy()(c).named("copy")
    outputs = {
        "add": a1 + b1,
        "multiply": a2 * b2,
        "copy 1": fm.Identity()(copy),
        "copy 2": fm.Identity()(copy),
        "max": fm.Maximum()(a3, b3),
    }
    return fm.Graph(inputs, outputs, dtype="float64")


def forward_and_backward(net, inputs):
    """The outputs by name, and the gradient that each input gets."""
    outputs = net.forward({name: [number] for name, number in inputs.items()}, keep=True)
    gradients = net.backward({name: [number] for name, number in UPSTREAM.items()})
    return tuple({name: x.item() for name, x in found.items()} for found in (outputs, gradients))


def lines(name, inputs, outputs, gradients):
    """Inputs, outputs, upstream gradients and downstream gradients of a circuit, for a table."""
    sources, ends = CIRCUITS[name]
    columns = (inputs, sources), (outputs, ends), (UPSTREAM, ends), (gradients, sources)
    return name, *(", ".join(f"{numbers[key]:g}" for key in keys) for numbers, keys in columns)


def main(folder="."):
    net = gates()
    ties = INPUTS | {"a3": INPUTS["b3"]}
    tie = lines("max", ties, *forward_and_backward(net, ties))
    found = forward_and_backward(net, INPUTS)
    rows = [lines(name, INPUTS, *found) for name in CIRCUITS]
    table(["gate", "inputs", "outputs", "upstream", "downstream"], [*rows, tie])
    print("The last row is a tie: the first input gets all.")
    net.draw(f"{folder}/06_gates.svg")


if __name__ == "__main__":
    run(main)
