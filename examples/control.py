"""A network as the controller of an inverted pendulum, 10,000 times a second.

    python examples/control.py [--seconds S] [--picture FILE] [--quick]

The network learns to imitate a linear controller (behaviour cloning). Then it holds the pendulum
upright in real time: every 100 us it gets the state and must give the torque. The latency is the
time from the state to the torque; its percentiles and its histogram are printed.
"""

import argparse
import gc
import time

import numpy as np

import fastmlp as fm

RATE = 10_000  # calls a second
GAINS = np.array([25.0, 7.0])  # of the controller to imitate: torque = -GAINS @ (angle, speed)
GRAVITY, LIMIT = 9.81, 20.0
EDGES = [0, 1, 2, 3, 5, 10, 20, 50, 100, np.inf]  # of the histogram, in us


def controller(seed=0, rows=4096):
    """Return a network 2-64-64-1 that imitates the linear controller."""
    rng = np.random.default_rng(seed)
    states = rng.uniform([-0.5, -2.0], [0.5, 2.0], (rows, 2)).astype(np.float32)
    torques = np.clip(-states @ GAINS, -LIMIT, LIMIT) / LIMIT
    net = fm.Sequential(
        fm.Linear(2, 64), fm.Tanh(), fm.Linear(64, 64), fm.Tanh(), fm.Linear(64, 1), seed=seed
    )
    fm.fit(net, states, torques, loss=fm.MSELoss(), optimizer=fm.Adam(lr=3e-3), epochs=60,
           batch_size=256, schedule=fm.CosineLR(), progress=False)  # fmt: skip
    return net


def moved(state, torque, wind):
    """Return the state of the pendulum (1 m, 1 kg) one period later."""
    angle, speed = state
    speed += (GRAVITY * np.sin(angle) + torque + wind) / RATE
    return angle + speed / RATE, speed


def run(net, ticks, seed=0):
    """Control in real time; return latencies in us, angles, and how many ticks came too late."""
    rng = np.random.default_rng(seed)
    winds = rng.normal(0.0, 2.0, ticks)
    latency, angles = np.empty(ticks), np.empty(ticks)
    x, torque = np.empty((1, 2), np.float32), np.empty((1, 1), np.float32)
    state, late, period = (0.2, 0.0), 0, 1e9 / RATE
    clock = time.perf_counter_ns
    gc.collect()
    gc.disable()  # a collection takes longer than a period
    try:
        with fm.threads(1):
            net.predict(x, out=torque)
            start = clock()
            for tick in range(ticks):
                due = start + tick * period
                while clock() < due:  # a sleep would wake too late
                    pass
                begun = clock()
                late += begun - due > period
                x[0, 0], x[0, 1] = state
                net.predict(x, out=torque)
                action = LIMIT * torque[0, 0]
                latency[tick] = (clock() - begun) / 1000.0
                angles[tick] = state[0]
                state = moved(state, action, winds[tick])
    finally:
        gc.enable()
    return latency, angles, late


def histogram(latency):
    """Return the lines of a histogram."""
    counts, _ = np.histogram(latency, EDGES)
    for low, high, count in zip(EDGES, EDGES[1:], counts, strict=False):
        bar = "#" * int(np.ceil(50 * count / len(latency)))
        yield f"{low:>4g} to {high:<4g} us  {count:>8,}  {bar}"


def draw(latency, path):
    """Write a picture of the histogram, with logarithmic axes."""
    from fastmlp.plot import BLUE, ORANGE, figure

    ax = figure(6, 3.6).subplots()
    ax.hist(latency, np.geomspace(latency.min(), latency.max(), 80), color=BLUE)
    ax.axvline(np.percentile(latency, 99.9), color=ORANGE, linestyle="--", label="99.9 %")
    ax.set(xscale="log", yscale="log", xlabel="us from the state to the torque", ylabel="calls")
    ax.set_title(f"A 2-64-64-1 network, {RATE:,} times a second")
    ax.legend()
    ax.figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--picture", help="file of a picture of the histogram")
    parser.add_argument("--quick", action="store_true", help="a fifth of a second")
    options = parser.parse_args()
    seconds = 0.2 if options.quick else options.seconds
    latency, angles, late = run(controller(), int(seconds * RATE))
    print(*histogram(latency), sep="\n")
    for percent in (50, 99, 99.9, 99.99):
        print(f"{percent:>6} %  {np.percentile(latency, percent):6.2f} us")
    print(f"{late} of {len(latency):,} ticks began more than a period late")
    print(f"largest angle in the second half: {np.abs(angles[len(angles) // 2 :]).max():.3f} rad")
    if options.picture:
        draw(latency, options.picture)


if __name__ == "__main__":
    main()
