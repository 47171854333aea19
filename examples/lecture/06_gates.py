"""What gates do to gradients: add distributes, multiply swaps, copy adds, max routes.

The lecture's patterns, for an upstream gradient g:

    a + b       both inputs get g
    a * b       a gets g * b, and b gets g * a: the values change places
    copy        one input, two outputs: it gets the sum of both upstream gradients
    max(a, b)   the larger input gets g, the other 0

If a = b, max has no derivative, and the lecture says nothing: fastmlp gives g to the first.
"""

import sys
from pathlib import Path

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


def rows(numbers):
    """Numbers by name as the rows of one number each that a graph takes."""
    return {name: [number] for name, number in numbers.items()}


def forward_and_backward(net, inputs):
    """The outputs by name, and the gradient that each input gets."""
    outputs = net.forward(rows(inputs), keep=True)
    gradients = net.backward(rows(UPSTREAM))
    return tuple({name: x.item() for name, x in found.items()} for found in (outputs, gradients))


def table(inputs, outputs, gradients):
    """For each circuit a line: inputs, outputs, upstream gradients, downstream gradients."""
    lines = []
    for name, (sources, ends) in CIRCUITS.items():
        columns = (inputs, sources), (outputs, ends), (UPSTREAM, ends), (gradients, sources)
        cells = [", ".join(f"{numbers[key]:g}" for key in keys) for numbers, keys in columns]
        lines.append(f"{name:10}" + "".join(f"{cell:>12}" for cell in cells))
    return lines


def main(folder="."):
    net = gates()
    ties = INPUTS | {"a3": INPUTS["b3"]}
    tie = table(ties, *forward_and_backward(net, ties))[-1]
    print(f"{'gate':10}{'inputs':>12}{'outputs':>12}{'upstream':>12}{'downstream':>12}")
    print(*table(INPUTS, *forward_and_backward(net, INPUTS)), sep="\n")
    print(f"{tie}   a tie: the first gets all")
    net.draw(Path(folder) / "06_gates.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
