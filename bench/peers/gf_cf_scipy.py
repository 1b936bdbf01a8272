"""GF-CF (Shen et al., CIKM 2021) on the training part of Gowalla as its authors compute it: SciPy's truncated SVD with
256 vectors, then dense scores of a batch of persons; one thread. The peer of spectral_bench. In one sitting:

    build/release/bench/spectral_bench 3
    python3 -m venv build/peers && build/peers/bin/pip install numpy scipy
    OPENBLAS_NUM_THREADS=1 build/peers/bin/python bench/peers/gf_cf_scipy.py FOLDER_OF_DATA/gowalla-lightgcn/train.csv.gz
"""

import gzip
import resource
import sys
import time

import numpy
import scipy.sparse
from scipy.sparse.linalg import svds

VECTORS, BATCH, STEP = 256, 1000, 30


def main() -> None:
    with gzip.open(sys.argv[1], "rt") as file:
        next(file)
        cells = numpy.array([[int(x) for x in line.split(",", 2)[:2]] for line in file], dtype=numpy.int32)
    r = scipy.sparse.csr_matrix((numpy.ones(len(cells), numpy.float32), (cells[:, 0], cells[:, 1])))
    start = time.process_time()
    persons = numpy.maximum(numpy.asarray(r.sum(1)).ravel(), 1) ** -0.5
    items = numpy.maximum(numpy.asarray(r.sum(0)).ravel(), 1) ** -0.5
    n = scipy.sparse.csr_matrix(scipy.sparse.diags(persons) @ r @ scipy.sparse.diags(items), dtype=numpy.float32)
    vt = svds(n, VECTORS, random_state=1)[2].astype(numpy.float32)
    print(f"fit {time.process_time() - start:.1f} CPU-s")
    start = time.process_time()
    asked = numpy.arange(0, r.shape[0], STEP)[:BATCH]
    x = r[asked].toarray()
    scores = (n.T @ (n @ x.T)).T + 0.3 * (((x * items) @ vt.T) @ vt) / items
    numpy.argpartition(-scores, 20, axis=1)
    print(f"top 20 of {len(asked)} persons: {(time.process_time() - start) * 1e3 / len(asked):.2f} ms each")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
