"""CPU seconds per iteration of `implicit`'s ALS by conjugate gradients on the training part of Gowalla,
one thread: the peer of als_bench. Measure both in one sitting:

    build/release/bench/als_bench 5
    python3 -m venv build/peers && build/peers/bin/pip install implicit
    OPENBLAS_NUM_THREADS=1 build/peers/bin/python bench/peers/implicit_als.py [repeats] [factors ...]

The difference between fits of 1 and of 6 iterations, over 5.
"""

import csv
import gzip
import os
import resource
import sys
import time

import implicit
import numpy as np
import scipy.sparse as sparse
from implicit.cpu.als import AlternatingLeastSquares

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("VITRINE_DATA", os.path.join(HERE, "..", "..", "..", "shared", "data"))
ITERATIONS = 5


def interactions():
    rows, columns = [], []
    path = os.path.join(DATA, "gowalla-lightgcn", "train.csv.gz")
    with gzip.open(path, "rt", newline="") as file:
        for record in csv.DictReader(file):
            rows.append(int(record["user_id"]))
            columns.append(int(record["item_id"]))
    return sparse.csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)))


def fit_cpu_s(x, factors, iterations, use_cg):
    model = AlternatingLeastSquares(
        factors=factors, iterations=iterations, use_cg=use_cg, num_threads=1, regularization=0.01,
        random_state=1,
    )
    start = time.process_time()
    model.fit(x, show_progress=False)
    return time.process_time() - start


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    widths = [int(a) for a in sys.argv[2:]] or [64, 128]
    x = interactions()
    print(f"implicit {implicit.__version__}: {x.shape[0]} persons, {x.shape[1]} items, {x.nnz} interactions")
    print(f"{'solver':12} {'least':>7} {'middle':>7} {'most':>7}  CPU seconds per iteration")
    for factors in widths:
        for use_cg in (True, False):
            seconds = []
            for _ in range(repeats):
                one = fit_cpu_s(x, factors, 1, use_cg)
                seconds.append((fit_cpu_s(x, factors, 1 + ITERATIONS, use_cg) - one) / ITERATIONS)
            seconds.sort()
            name = f"{'cg' if use_cg else 'exact'} {factors}"
            print(f"{name:12} {seconds[0]:7.3f} {seconds[len(seconds) // 2]:7.3f} {seconds[-1]:7.3f}", flush=True)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
