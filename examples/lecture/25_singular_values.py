"""Singular values: what rank is, a picture from a few bases, and a linear autoencoder.

    A = U S V^T    the columns of U and V are orthonormal, S is diagonal: s_1 >= s_2 >= ... >= 0
    rank           how many s_k are not 0: the true dimension of the rows, and of the columns
    null space     the columns of V whose s_k is 0
    pseudo-inverse V S^+ U^T, with 1 / s_k where s_k is not 0: b -> the least-squares solution
    k bases        the sum of the first k s_k u_k v_k^T: no matrix of rank k is closer to A, and its
                   distance is sqrt(s_{k+1}^2 + s_{k+2}^2 + ...)

A linear autoencoder of k units, x -> x W1 -> x W1 W2, trained on the rows of A, cannot be better
than k bases, and training reaches them.
"""

import numpy as np
from lecture_support import check, draw, image, panel, run, same, table

import fastmlp as fm

# Distances of the notes' 24 x 24 matrix of rank 5 from its first k bases. They determine all its
# singular values but the first. A matrix with these values and random bases is used in its place.
STATED = {1: 5.542, 2: 2.139, 3: 1.416, 4: 0.863}
SINGULAR_VALUES = np.array([12.0, *np.sqrt(-np.diff(np.square([*STATED.values(), 0.0])))])


def matrix_of(values, size=24, seed=0):
    """A matrix with these singular values and random orthonormal bases."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((size, len(values))))[0] for _ in range(2))
    return U @ np.diag(values) @ V.T


def first_bases(A, k):
    U, s, Vt = np.linalg.svd(A)
    return U[:, :k] @ np.diag(s[:k]) @ Vt[:k]


def autoencoder(A, k, epochs=3000):
    """The distance of A from the output of k linear units."""
    net = fm.Sequential(
        fm.Linear(A.shape[1], k, bias=False), fm.Linear(k, A.shape[1], bias=False),
        dtype="float64", seed=0,
    )  # fmt: skip
    fm.fit(net, A, A, loss=fm.MSELoss(reduction="sum"), optimizer=fm.Adam(lr=0.02), epochs=epochs,
           batch_size=len(A), schedule=fm.CosineLR(), progress=False)  # fmt: skip
    return float(np.linalg.norm(net.predict(A) - A))


def picture():
    """A 24 x 24 picture of rank 7: a house with a door, two windows, a chimney and the ground."""
    A = np.zeros((24, 24))
    A[10:22, 4:20] = 0.45  # wall
    for row in range(6, 10):
        A[row, 12 - 2 * (row - 5) : 12 + 2 * (row - 5)] = 0.9  # roof
    A[1:6, 16:18] = 0.7  # chimney
    A[12:15, 6:9] = A[12:15, 15:18] = 0.05  # windows
    A[15:22, 10:14] = 0.8  # door
    A[22, :] = 1.0  # ground
    return A


def null_space(A):
    """Vectors that A maps to 0, as columns."""
    _, s, Vt = np.linalg.svd(A)
    return Vt[np.sum(s > 1e-10 * s[0]) :].T


def pseudo_inverse(A):
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    kept = s > 1e-10 * s[0]
    return Vt[kept].T @ np.diag(1 / s[kept]) @ U[:, kept].T


def main(folder="."):
    A = matrix_of(SINGULAR_VALUES)
    print("24 x 24, rank 5: distance from the first k bases")
    rows = [(k, stated, float(np.linalg.norm(A - first_bases(A, k))), autoencoder(A, k))
            for k, stated in STATED.items()]  # fmt: skip
    table(["k", "stated", "k bases", "autoencoder of k units"], rows)
    noisy = A + 1e-3 * np.random.default_rng(1).standard_normal(A.shape)
    ranks = [int(np.linalg.matrix_rank(one)) for one in (A, noisy)]
    check("rank, and rank with noise of 0.001", ranks, (5, 24))
    N = null_space(A)
    check("dimension of the null space", N.shape[1], 19)
    same("A times the null space", A @ N, 0.0, 1e-12)
    same("V S^+ U^T and NumPy's pinv", pseudo_inverse(A), np.linalg.pinv(A, rcond=1e-10))

    check("rank of the picture", np.linalg.matrix_rank(picture()), 7)
    bases = [image(first_bases(picture(), k), f"{k} of 7 bases", vmin=0, vmax=1)
             for k in range(1, 8)]  # fmt: skip
    s = np.linalg.svd(picture())[1][:10]
    values = panel("Singular values", {"_": (np.arange(1, 11), s, "o")}, xlabel="k")
    draw(folder, "25_singular_values", *bases, values, rows=2, size=(2.6, 2.6))


if __name__ == "__main__":
    run(main)
