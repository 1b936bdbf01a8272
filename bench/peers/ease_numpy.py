"""CPU seconds of EASE on MovieLens 1M in NumPy and SciPy, float32: the peer of model_bench.

    python3 -m venv build/peers && build/peers/bin/pip install numpy scipy
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 build/peers/bin/python bench/peers/ease_numpy.py [repeats]

Two ways to the same matrix: numpy.linalg.inv on the dense Gram matrix, as the reference code has it,
and a Cholesky inverse through LAPACK (spotrf, spotri). The Gram matrix is counted in both.
"""

import csv
import gzip
import os
import sys
import time

import numpy as np
import scipy.linalg.lapack as lapack
import scipy.sparse as sparse

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("VITRINE_DATA", os.path.join(HERE, "..", "..", "..", "shared", "data"))
REGULARISATION = 300.0


def ratings():
    users, items = {}, {}
    rows, columns = [], []
    with gzip.open(os.path.join(DATA, "ml-1m", "events.csv.gz"), "rt", newline="") as file:
        for record in csv.DictReader(file):
            rows.append(users.setdefault(record["user_id"], len(users)))
            columns.append(items.setdefault(record["item_id"], len(items)))
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.csr_matrix((ones, (rows, columns)), shape=(len(users), len(items)))


def gram_dense(x):
    dense = x.toarray()
    return dense.T @ dense


def gram_sparse(x):
    return (x.T @ x).toarray()


def by_inv(gram):
    gram[np.diag_indices_from(gram)] += REGULARISATION
    return np.linalg.inv(gram)


def by_cholesky(gram):
    gram[np.diag_indices_from(gram)] += REGULARISATION
    factor, info = lapack.spotrf(gram, lower=1, overwrite_a=1)
    assert info == 0
    inverse, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert info == 0
    lower = np.tril(inverse, -1)
    return lower + lower.T + np.diag(np.diag(inverse))


def weights(inverse):
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    x = ratings()
    print(f"MovieLens 1M: {x.shape[0]} persons, {x.shape[1]} items; numpy {np.__version__}")
    print(f"{'fit':44} {'least':>7} {'middle':>7} {'most':>7}  CPU seconds")
    for name, gram, invert in [
        ("sparse Gram, numpy.linalg.inv", gram_sparse, by_inv),
        ("dense Gram, numpy.linalg.inv", gram_dense, by_inv),
        ("sparse Gram, spotrf and spotri", gram_sparse, by_cholesky),
        ("dense Gram, spotrf and spotri", gram_dense, by_cholesky),
    ]:
        seconds = []
        for _ in range(repeats):
            before = time.process_time()
            weights(invert(gram(x)))
            seconds.append(time.process_time() - before)
        seconds.sort()
        print(f"{name:44} {seconds[0]:7.3f} {seconds[len(seconds) // 2]:7.3f} {seconds[-1]:7.3f}")


if __name__ == "__main__":
    main()
