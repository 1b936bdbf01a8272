"""BPR of libmf on Gowalla (810,128 pairs, 64 factors, one negative per pair and epoch), one thread: the peer of
bpr_bench. Builds for this processor; measure both in one sitting:

    build/release/bench/bpr_bench
    python3 -m venv build/peers && build/peers/bin/pip install numpy
    CFLAGS="-O3 -march=native -DUSEAVX" build/peers/bin/pip install --no-binary libmf libmf
    OPENBLAS_NUM_THREADS=1 build/peers/bin/python bench/peers/libmf_bpr.py ../shared/data/gowalla-lightgcn
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
    for u, wanted in enumerate(truth):
        if not wanted:
            continue
        scores = items @ users[u]
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
