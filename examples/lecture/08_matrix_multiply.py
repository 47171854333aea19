"""Backward of a matrix multiply: dx = dy W^T and dW = x^T dy, never a Jacobian.

The lecture: y = x W with x (N, D) and W (D, M). The Jacobian dy/dx has (N M) (N D) entries: for
N = 64 and D = M = 4096 in float32 that is 256 GiB, nearly all zeros. (The notes say
"256 GB each". That is right for dy/dx, in units of 2^30 bytes; dy/dW has 16,384 GiB.) Questions:

- What parts of y does x[n, d] affect? Row n, all of it; so the other rows of dy/dx[n, d] are 0.
- How much does x[n, d] affect y[n, m]? By W[d, m].

So dL/dx[n, d] = sum_m dL/dy[n, m] W[d, m], that is, dx = dy W^T; likewise dW = x^T dy.
"""

import resource
import sys

import numpy as np
from lecture_support import bars, check, draw, run, same

import fastmlp as fm

MIB, GIB = 2**20, 2**30

# The lecture's small example, and its gradient with respect to x.
X = np.array([[2.0, 1, -3], [-3, 4, 2]])
W = np.array([[3.0, 2, 1, -1], [2, 1, 3, 2], [3, 2, 1, -2]])
DY = np.array([[2.0, 3, -3, 9], [-8, 1, 4, 6]])
STATED = {"y": [[-1, -1, 2, 6], [5, 2, 11, 7]], "dx": [[0, 16, -9], [-24, 9, -30]]}


def small_example():
    """y, dx and dW of the example, from a layer."""
    layer = fm.Linear(3, 4, bias=False, dtype="float64")
    layer.W = W
    y = layer.forward(X)
    return y, layer.backward(DY), layer.dW


def forward_and_backward(n, d, m, dtype="float32"):
    """One pass with random numbers: x, dy, the layer (with W and dW) and dx."""
    rng = np.random.default_rng(0)
    layer = fm.Linear(d, m, bias=False, dtype=dtype, seed=0)
    x, dy = rng.standard_normal((n, d), dtype), rng.standard_normal((n, m), dtype)
    layer.forward(x)
    return x, dy, layer, layer.backward(dy)


def jacobian_bytes(n, d, m):
    """Sizes of dy/dx and dy/dW in float32."""
    return 4 * (n * m) * (n * d), 4 * (n * m) * (d * m)


def difference_from_jacobians(n=2, d=3, m=4):
    """For a small layer: the distance of dx and dW from products with the complete Jacobians."""
    x, dy, layer, dx = forward_and_backward(n, d, m, "float64")
    dy_dx = np.einsum("in,dj->ijnd", np.eye(n), layer.W)  # of y[i, j] by x[n, d]
    dy_dW = np.einsum("id,jm->ijdm", x, np.eye(m))  # of y[i, j] by W[d, m]
    by_jacobian = np.einsum("ij,ijnd->nd", dy, dy_dx), np.einsum("ij,ijdm->dm", dy, dy_dW)
    return np.abs(by_jacobian[0] - dx).max(), np.abs(by_jacobian[1] - layer.dW).max()


def peak_memory():
    """The most memory that this process has had so far, in bytes (Linux, macOS)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def readable(size):
    return f"{size / GIB:,.0f} GiB" if size >= GIB else f"{size / MIB:,.0f} MiB"


def main(folder="."):
    y, dx, dW = small_example()
    check("small example, y", y, STATED["y"])
    check("small example, dx = dy W^T", dx, STATED["dx"])
    same("small example, dW and x^T dy", dW, X.T @ DY)

    before = peak_memory()
    x, dy, layer, dx = forward_and_backward(64, 4096, 4096)
    peak = peak_memory()
    print(f"forward {x.shape} -> {dy.shape}, backward: dx {dx.shape}, dW {layer.dW.shape}")
    print(f"peak memory of this process: {readable(peak)}; before the layer: {readable(before)}")
    dy_dx, dy_dW = jacobian_bytes(64, 4096, 4096)
    print(f"Jacobian dy/dx: {readable(dy_dx)}; dy/dW even {readable(dy_dW)}")
    same("dx and NumPy's dy W^T (float32)", dx, dy @ layer.W.T, 1e-3)
    same("dW and NumPy's x^T dy", layer.dW, x.T @ dy, 1e-3)
    same("a layer 3 -> 4 with whole Jacobians", difference_from_jacobians(), 0)
    sizes = {"x": x.nbytes, "W": layer.W.nbytes, "this process": peak, "dy/dx": dy_dx,
             "dy/dW": dy_dW}  # fmt: skip
    draw(folder, "08_matrix_multiply",
         bars({name: size / GIB for name, size in sizes.items()}, "64 x 4096 -> 4096, float32",
              [readable(size) for size in sizes.values()], xscale="log", xlim=(1e-4, 1e6),
              xlabel="memory (GiB)"), size=(7, 3))  # fmt: skip


if __name__ == "__main__":
    run(main)
