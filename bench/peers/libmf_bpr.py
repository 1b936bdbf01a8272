"""BPR of libmf on Gowalla (810,128 pairs, 64 factors, one negative per pair and epoch), one thread: the peer of
bpr_bench. PyPI's build uses no AVX; the second way does. Measure all in one sitting:

    build/release/bench/bpr_bench
    python3 -m venv build/peers && build/peers/bin/pip install numpy libmf
    OPENBLAS_NUM_THREADS=1 build/peers/bin/python bench/peers/libmf_bpr.py ../shared/data/gowalla-lightgcn

    cd build && peers/bin/pip download --no-deps --no-binary :all: libmf && tar xzf libmf-0.9.2.tar.gz
    g++ -O3 -march=native -DUSEAVX -std=c++11 -fPIC -shared -o mf_avx.so libmf-0.9.2/src_cpp/{libmf_interface,mf}.cpp
    LIBMF_OBJ=build/mf_avx.so OPENBLAS_NUM_THREADS=1 build/peers/bin/python bench/peers/libmf_bpr.py ...
"""

import gzip
import pathlib
import sys
import time

import numpy
from libmf import mf

FACTORS, REPEATS, SHORT, LONG = 64, 3, 2, 12
ETA, LAMBDA, EPOCHS = 0.1, 0.01, 60


def pairs_of(path: pathlib.Path) -> numpy.ndarray:
    with gzip.open(path, "rt") as rows:
        next(rows)
        return numpy.array([[int(field) for field in row.split(",")[:2]] for row in rows])


def fit(train: numpy.ndarray, epochs: int) -> tuple[mf.MF, float]:
    cells = numpy.hstack([train, numpy.ones((len(train), 1))])
    model = mf.MF(fun=mf.P_ROW_BPR_MFOC, k=FACTORS, nr_threads=1, nr_iters=epochs, eta=ETA,
                  lambda_p2=LAMBDA, lambda_q2=LAMBDA, quiet=True)
    start = time.process_time()
    model.fit(cells)
    return model, time.process_time() - start


def accuracy(model: mf.MF, train: numpy.ndarray, test: numpy.ndarray) -> tuple[float, float]:
    users, items = model.p_factors(), model.q_factors()
    seen = [[] for _ in range(len(users))]
    truth = [set() for _ in range(len(users))]
    for u, i in train:
        seen[u].append(i)
    for u, i in test:
        truth[u].add(i)
    discounts = 1 / numpy.log2(numpy.arange(2, 22))
    recall = ndcg = asked = 0
    for first in range(0, len(users), 256):
        block = users[first : first + 256] @ items.T
        for u, scores in enumerate(block, first):
            wanted = truth[u]
            if not wanted:
                continue
            scores[seen[u]] = -numpy.inf
            top = numpy.argpartition(-scores, 20)[:20]
            top = top[numpy.argsort(-scores[top])]
            hits = numpy.array([i in wanted for i in top])
            recall += hits.sum() / len(wanted)
            ndcg += discounts[hits].sum() / discounts[: min(20, len(wanted))].sum()
            asked += 1
    return recall / asked, ndcg / asked


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    train, test = (pairs_of(folder / name) for name in ("train.csv.gz", "test.csv.gz"))
    seconds = []
    for _ in range(REPEATS):
        seconds.append((fit(train, LONG)[1] - fit(train, SHORT)[1]) / (LONG - SHORT))
    seconds.sort()
    print("libmf {:.3f} {:.3f} {:.3f} CPU s per epoch".format(*seconds))
    recall, ndcg = accuracy(fit(train, EPOCHS)[0], train, test)
    print(f"libmf eta {ETA} lambda {LAMBDA} epochs {EPOCHS}: recall@20 {recall:.4f} ndcg@20 {ndcg:.4f}")


if __name__ == "__main__":
    main()
