"""CPU seconds per epoch of LightGCN in PyTorch on Gowalla: the peer of model_bench's `lightgcn`.

    python3 -m venv build/peers && build/peers/bin/pip install torch numpy scipy
    OMP_NUM_THREADS=2 build/peers/bin/python bench/peers/lightgcn_torch.py [batches] [threads]

What the authors' PyTorch code does: three layers, 64 floats, batches of 2,048 pairs with one uniform
negative each, BPR with L2 1e-4 on the embeddings of the batch, Adam 1e-3; the whole graph goes
through torch.sparse.mm forward and backward in every batch. Times the given number of batches
(default 20, after two that do not count) and scales to an epoch of all training pairs.
"""

import csv
import gzip
import os
import sys
import time

import numpy as np
import scipy.sparse as sparse
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.environ.get("VITRINE_DATA", os.path.join(HERE, "..", "..", "..", "shared", "data"))
FACTORS, LAYERS, BATCH, RATE, L2 = 64, 3, 2048, 1e-3, 1e-4


def pairs():
    users, items = {}, {}
    rows, columns = [], []
    with gzip.open(os.path.join(DATA, "gowalla-lightgcn", "train.csv.gz"), "rt", newline="") as file:
        for record in csv.DictReader(file):
            rows.append(users.setdefault(record["user_id"], len(users)))
            columns.append(items.setdefault(record["item_id"], len(items)))
    return np.array(rows), np.array(columns), len(users), len(items)


def normalised_graph(rows, columns, users, items, layout):
    nodes = users + items
    ones = np.ones(2 * len(rows), dtype=np.float32)
    at = np.concatenate([rows, columns + users]), np.concatenate([columns + users, rows])
    adjacency = sparse.coo_matrix((ones, at), shape=(nodes, nodes)).tocsr()
    scale = sparse.diags(1 / np.sqrt(np.asarray(adjacency.sum(axis=1)).ravel()))
    graph = (scale @ adjacency @ scale).astype(np.float32)
    if layout == "csr":
        return torch.sparse_csr_tensor(
            torch.from_numpy(graph.indptr.astype(np.int64)),
            torch.from_numpy(graph.indices.astype(np.int64)),
            torch.from_numpy(graph.data),
            size=graph.shape,
        )
    graph = graph.tocoo()
    at = torch.from_numpy(np.stack([graph.row, graph.col]).astype(np.int64))
    return torch.sparse_coo_tensor(at, torch.from_numpy(graph.data), graph.shape).coalesce()


class LightGcn(torch.nn.Module):
    def __init__(self, users, items, graph):
        super().__init__()
        self.users, self.items, self.graph = users, items, graph
        self.user = torch.nn.Embedding(users, FACTORS)
        self.item = torch.nn.Embedding(items, FACTORS)
        torch.nn.init.normal_(self.user.weight, std=0.1)
        torch.nn.init.normal_(self.item.weight, std=0.1)

    def loss(self, users, items, negatives):
        layer = torch.cat([self.user.weight, self.item.weight])
        layers = [layer]
        for _ in range(LAYERS):
            layer = torch.sparse.mm(self.graph, layer)
            layers.append(layer)
        final = torch.mean(torch.stack(layers, dim=1), dim=1)
        all_users, all_items = torch.split(final, [self.users, self.items])
        u, i, j = all_users[users], all_items[items], all_items[negatives]
        ranking = torch.nn.functional.softplus((u * j).sum(1) - (u * i).sum(1)).mean()
        norms = self.user(users).norm(2).pow(2) + self.item(items).norm(2).pow(2)
        norms = norms + self.item(negatives).norm(2).pow(2)
        return ranking + L2 * norms / (2 * len(users))


def main():
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    rows, columns, users, items = pairs()
    epoch = (len(rows) + BATCH - 1) // BATCH
    print(f"Gowalla: {users} persons, {items} items, {len(rows)} pairs; torch {torch.__version__}, "
          f"{torch.get_num_threads()} thread(s); {epoch} batches an epoch, {batches} timed")
    print(f"{'graph':8} {'least':>8} {'middle':>8} {'most':>8}  CPU seconds per batch   per epoch")
    random = np.random.default_rng(1)
    for layout in ["coo", "csr"]:
        model = LightGcn(users, items, normalised_graph(rows, columns, users, items, layout))
        adam = torch.optim.Adam(model.parameters(), lr=RATE)
        seconds = []
        for batch in range(batches + 2):
            at = random.integers(0, len(rows), BATCH)
            negatives = torch.from_numpy(random.integers(0, items, BATCH))
            before = time.process_time()
            loss = model.loss(torch.from_numpy(rows[at]), torch.from_numpy(columns[at]), negatives)
            adam.zero_grad()
            loss.backward()
            adam.step()
            if batch >= 2:
                seconds.append(time.process_time() - before)
        seconds.sort()
        print(f"{layout:8} {seconds[0]:8.3f} {seconds[len(seconds) // 2]:8.3f} {seconds[-1]:8.3f}"
              f"{epoch * sum(seconds) / len(seconds):26.1f}")


if __name__ == "__main__":
    main()
