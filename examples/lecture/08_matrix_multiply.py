"""Backward of a matrix multiply: dx = dy W^T and dW = x^T dy, never a Jacobian.

The lecture: y = x W with x (N, D) and W (D, M). The Jacobian dy/dx has (N M) (N D) entries: for
N = 64 and D = M = 4096 in float32 that is 256 GB, nearly all zeros. Its questions, answered:

- What parts of y does x[n, d] affect? Row n, all of it; so the other rows of dy/dx[n, d] are 0.
- How much does x[n, d] affect y[n, m]? By W[d, m].

So dL/dx[n, d] = sum_m dL/dy[n, m] W[d, m], that is, dx = dy W^T; likewise dW = x^T dy.
"""

import resource
import sys
from pathlib import Path

import numpy as np

import fastmlp as fm

MIB, GIB = 2**20, 2**30


def peak_memory():
    """The most memory that this process has had so far, in bytes (Linux, macOS)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def jacobian_bytes(n, d, m):
    """Sizes of dy/dx and dy/dW in float32."""
    return 4 * (n * m) * (n * d), 4 * (n * m) * (d * m)


def forward_and_backward(n, d, m, dtype="float32"):
    """One pass with random numbers: x, dy, the layer (with W and dW) and dx."""
    rng = np.random.default_rng(0)
    layer = fm.Linear(d, m, bias=False, dtype=dtype, seed=0)
    x, dy = rng.standard_normal((n, d), dtype), rng.standard_normal((n, m), dtype)
    layer.forward(x)
    return x, dy, layer, layer.backward(dy)


def difference_from_jacobians(n=2, d=3, m=4):
    """For a small layer: how far dx and dW are from products with the whole Jacobians."""
    x, dy, layer, dx = forward_and_backward(n, d, m, "float64")
    dy_dx = np.einsum("in,dj->ijnd", np.eye(n), layer.W)  # of y[i, j] by x[n, d]
    dy_dW = np.einsum("id,jm->ijdm", x, np.eye(m))  # of y[i, j] by W[d, m]
    by_jacobian = np.einsum("ij,ijnd->nd", dy, dy_dx), np.einsum("ij,ijdm->dm", dy, dy_dW)
    return np.abs(by_jacobian[0] - dx).max(), np.abs(by_jacobian[1] - layer.dW).max()


def readable(size):
    return f"{size / GIB:,.0f} GiB" if size >= GIB else f"{size / MIB:,.0f} MiB"


def draw(path, sizes):
    ax = fm.plot.figure(7, 3).subplots()
    bars = ax.barh(list(sizes), [size / GIB for size in sizes.values()])
    ax.bar_label(bars, map(readable, sizes.values()), padding=4)
    ax.set(
        xscale="log", xlim=(1e-4, 1e6), xlabel="memory (GiB)", title="64 x 4096 -> 4096, float32"
    )
    ax.invert_yaxis()
    ax.figure.savefig(path)


def main(folder="."):
    before = peak_memory()
    x, dy, layer, dx = forward_and_backward(64, 4096, 4096)
    peak = peak_memory()
    print(f"forward {x.shape} -> {dy.shape}, backward: dx {dx.shape}, dW {layer.dW.shape}")
    print(f"peak memory of this process: {readable(peak)}; before the layer: {readable(before)}")
    dy_dx, dy_dW = jacobian_bytes(64, 4096, 4096)
    print(f"Jacobian dy/dx: {readable(dy_dx)}; dy/dW even {readable(dy_dW)}")
    print(f"dx differs from NumPy's dy W^T by {np.abs(dx - dy @ layer.W.T).max():.1e} (float32)")
    print(f"dW differs from NumPy's x^T dy by {np.abs(layer.dW - x.T @ dy).max():.1e}")
    dx_error, dW_error = difference_from_jacobians()
    print(
        f"A layer 3 -> 4 with whole Jacobians: dx differs by {dx_error:.0e}, dW by {dW_error:.0e}"
    )
    sizes = {"x": x.nbytes, "W": layer.W.nbytes, "this process": peak}
    draw(Path(folder) / "08_matrix_multiply.png", sizes | {"dy/dx": dy_dx, "dy/dW": dy_dW})


if __name__ == "__main__":
    main(*sys.argv[1:2])
