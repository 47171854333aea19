"""y = w2 * sigmoid(w1 * x) at x = w1 = w2 = 0: which parameter feels anything?

The chain rule, node by node:

    dy/dw2 = sigmoid(w1 * x)                 = sigmoid(0) = 0.5
    dy/dw1 = w2 * sigmoid'(w1 * x) * x       = 0 * 0.25 * 0 = 0

backward() computes both from the graph. Central differences, (f(w + h) - f(w - h)) / 2h, know
nothing of the graph and must find the same, with h = 0.00001 and with the notes' 0.001.
"""

from lecture_support import check, run

import fastmlp as fm


def network():
    x = fm.Input(1, "x")
    w1 = fm.Parameter(1, init="zeros", name="w1")
    w2 = fm.Parameter(1, init="zeros", name="w2")
    y = w2 * fm.Sigmoid()(w1 * x)
    return fm.Graph(x, y, dtype="float64")


def by_backward(net, x):
    net.forward([[x]])
    net.backward([[1.0]])  # dy/dy
    return {name: float(net[name].dW[0]) for name in ("w1", "w2")}


def by_central_differences(net, x, h=1e-5):
    found = {}
    for name in ("w1", "w2"):
        weight = net[name].W  # a view: writing into it changes the network
        kept = weight[0]
        weight[0] = kept + h
        above = net.predict([[x]])[0, 0]
        weight[0] = kept - h
        below = net.predict([[x]])[0, 0]
        weight[0] = kept
        found[name] = float((above - below) / (2 * h))
    return found


def after_steps(x, target, steps=100):
    """The weights after some steps of gradient descent on (y - target)**2 from zero."""
    net = network()
    trainer = fm.Trainer(net, loss=fm.MSELoss(), optimizer=fm.SGD(lr=0.5))
    for _ in range(steps):
        trainer.step([[x]], [[target]])
    return {name: float(net[name].W[0]) for name in ("w1", "w2")}


def main(folder="."):
    net = network()
    stated = [0.0, 0.5]
    check("dy/dw1, dy/dw2 by backward", list(by_backward(net, 0.0).values()), stated)
    for h in (1e-5, 1e-3):
        found = list(by_central_differences(net, 0.0, h).values())
        check(f"by central differences, h = {h:g}", found, stated, 1e-10)

    print("\nCan training leave w1 = w2 = 0?  100 steps towards y = 1:")
    for x in (0.0, 1.0):
        weights = after_steps(x, target=1.0)
        print(f"  x = {x:g}:  w1 = {weights['w1']:.4f}, w2 = {weights['w2']:.4f}")
    print("At x = 0 only w2 moves, for ever: dy/dw1 has the factor x. At x = 1 w2 moves first, and")
    print("as soon as it is not 0, w1 moves too.")


if __name__ == "__main__":
    run(main)
