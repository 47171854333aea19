"""Random connections can work too: a random DAG of Linear and Tanh learns the spiral.

The chain rule needs a graph without cycles, not layers. Here every node reads a few of the
nodes before it, chosen at random: their values go through one Linear each, are added and go through
a tanh. Nodes that nothing reads are added up for the score. backward() works on any such graph.

The notes' network had 1,141 parameters, with edges that are not known. Random edges here have
others: 1,051, 1,099 and 1,123 for the seeds 0, 1 and 2. A Linear that reads x has 24 fewer than one
that reads a node, so these three differ by multiples of 24, and 1,141 is none of the possible ones.
"""

import numpy as np
from lecture_support import boundary, check, data, draw, run, spiral

import fastmlp as fm

NODES, WIDTH, READS, SEED = 11, 6, 3, 0


def random_net(seed=SEED):
    """A graph of random edges, and the readers of each node."""
    rng = np.random.default_rng(seed)
    x = fm.Input(2, "x")
    values, widths, edges = [x], [2], {}
    for k in range(NODES):
        read = sorted(rng.choice(len(values), size=min(READS, len(values)), replace=False))
        parts = [fm.Linear(widths[one], WIDTH)(values[one]) for one in read]
        total = parts[0] if len(parts) == 1 else fm.Add()(*parts)
        values.append(fm.Tanh()(total))
        widths.append(WIDTH)
        edges[k + 1] = [int(one) for one in read]
    unread = sorted(set(edges) - {one for read in edges.values() for one in read})
    last = values[unread[0]] if len(unread) == 1 else fm.Add()(*(values[k] for k in unread))
    return fm.Graph(x, fm.Linear(WIDTH, 1)(last), seed=seed), edges


def train(net, x, y, epochs=1500):
    """The fraction of points that end in their class."""
    fm.fit(net, x, y, loss=fm.BCEWithLogitsLoss(), optimizer=fm.Adam(lr=0.01), epochs=epochs,
           batch_size=50, seed=0, progress=False)  # fmt: skip
    return float(np.mean((net.predict(x) > 0) == y))


def main(folder="."):
    x, y = data(spiral)
    net, edges = random_net()
    for node, read in edges.items():
        print(f"node {node:2} reads {', '.join(f'node {one}' if one else 'x' for one in read)}")
    print(f"{net.n_parameters:,} parameters")
    check("share of the spiral that is right", train(net, x, y), 1.0)
    panels = [boundary(net, x, y, f"seed {SEED}: {net.n_parameters:,} parameters")]
    for seed in (1, 2):
        other, _ = random_net(seed)
        right, title = train(other, x, y), f"seed {seed}: {other.n_parameters:,} parameters"
        print(f"other connections, {title}, {right:.1%} right")
        panels.append(boundary(other, x, y, title))
    draw(folder, "37_random_connections", *panels, size=(3.6, 3.8))


if __name__ == "__main__":
    run(main)
