"""New items by attributes on MovieLens 1M: the two closed forms that were compared for `ease`.

    python3 -m venv build/peers && build/peers/bin/pip install numpy
    OPENBLAS_NUM_THREADS=1 build/peers/bin/python bench/peers/attribute_rows.py

A tenth of the films loses all its ratings, a tenth of the other ratings is held out, and both are asked
for. "rows": attribute rows below those of the persons (CEASE). "mixes": what `ease` does, with all films
as candidates. Genres, directors, actors and decades are the attributes.
"""

import csv
import gzip
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("VITRINE_DATA", os.path.join(HERE, "..", "..", "..", "shared", "data"))
PERSON_EXPONENT, REGULARISATION, CUTOFF = 0.4, 100.0, 20


def records(name):
    with gzip.open(os.path.join(DATA, "ml-1m", name), "rt", newline="") as file:
        yield from csv.DictReader(file)


def ratings():
    pairs = [(int(r["user_id"]), r["item_id"]) for r in records("events.csv.gz")]
    items = {}
    for _, item in pairs:
        items.setdefault(item, len(items))
    x = np.zeros((max(user for user, _ in pairs) + 1, len(items)), np.float32)
    for user, item in pairs:
        x[user, items[item]] = 1
    return x, items


def attributes(items):
    holders = {}
    for r in records("items.csv.gz"):
        if r["item_id"] not in items:
            continue
        values = [("genre", g) for g in r["genres"].split("|")] + [("decade", r["year"][:3])]
        values += [("director", d.strip()) for d in r["director"].split(",")]
        values += [("actor", a.strip()) for a in r["actors"].split(",")]
        for value in values:
            if value[1] not in ("", "N/A"):
                holders.setdefault(value, set()).add(items[r["item_id"]])
    shared = [sorted(h) for h in holders.values() if len(h) > 1]
    t = np.zeros((len(shared), len(items)), np.float32)
    for row, held in enumerate(shared):
        t[row, held] = 1
    return t


def ease(gram):
    inverse = np.linalg.inv(gram + REGULARISATION * np.eye(len(gram), dtype=np.float32))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def ndcg(scores, truth):
    top = np.argsort(-scores, 1)[:, :CUTOFF]
    discount = 1 / np.log2(np.arange(CUTOFF) + 2)
    asked = truth.any(1)
    ideal = np.cumsum(discount)[np.minimum(CUTOFF, truth.sum(1)[asked]) - 1]
    hits = np.take_along_axis(truth, top, 1)[asked]
    return ((hits * discount).sum(1) / ideal).mean()


def main():
    random = np.random.default_rng(1)
    x, items = ratings()
    t = attributes(items)
    new = np.zeros(len(items), bool)
    new[random.permutation(len(items))[: len(items) // 10]] = True
    train = x.copy()
    train[:, new] = 0
    train[(random.random(x.shape) < 0.1) & ~new] = 0
    sizes = train.sum(1)
    persons = np.where(sizes > 0, np.maximum(sizes, 1) ** -PERSON_EXPONENT, 0).astype(np.float32)
    gram = (train * persons[:, None]).T @ train
    described = t.T @ t
    described /= np.diag(described)[np.diag(described) > 0].mean()
    sample = random.permutation(len(x))[:1500]
    seen, truth = train[sample] > 0, (x[sample] > 0) & (train[sample] == 0)

    def report(name, scores):
        scores = np.where(seen, -np.inf, scores)
        among_new = np.where(new, scores, -np.inf)
        figures = (ndcg(scores, truth), ndcg(scores, truth & ~new), ndcg(among_new, truth & new))
        print(f"{name:24} {figures[0]:.4f} {figures[1]:.4f} {figures[2]:.4f}", flush=True)

    print(f"ndcg@{CUTOFF}: {'':14} all    taken  new items among themselves")
    weights = ease(gram)
    plain = train[sample] @ weights
    report("ease", plain)
    for weight in (30, 300):
        report(f"rows, weight {weight}", train[sample] @ ease(gram + weight * described))
    old = ~new
    for ridge in (1, 3, 10, 30):
        left = described[np.ix_(old, old)] + ridge * np.eye(old.sum(), dtype=np.float32)
        mixes = np.linalg.solve(left, described[np.ix_(old, new)])
        scores = plain.copy()
        scores[:, new] = (plain + train[sample])[:, old] @ mixes
        report(f"mixes, lambda {ridge}", scores)


if __name__ == "__main__":
    main()
