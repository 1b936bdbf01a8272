"""CPU seconds of an epoch of SASRec in PyTorch, on the CPU: the peer of our `sasrec`. In one sitting:

    python3 -m venv build/peers && build/peers/bin/pip install torch
    build/peers/bin/python bench/peers/sasrec_torch.py --data FOLDER_OF_DATA/amazon-beauty/events.csv.gz

The data has the columns user_id and item_id, each person's events in time order; the last two of each
are left out. Histories are cut, from their end, into windows of 50 tokens with a next item. The network
is ours: two pre-norm blocks, one head, 64 floats, dropout .5, positions counted from the end. The loss is
the softmax over the next item and negatives that a batch of 64 windows shares; Adam 5e-4.

"padded" computes 50 tokens of each window, as published code does; "trimmed" those of the longest window
of the batch. In both only real tokens are scored, and what PyTorch has fused is used: attention and Adam.
"""

import argparse
import csv
import gzip
import resource
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, BLOCKS, LENGTH, DROPOUT = 64, 2, 50, 0.5
BATCH, RATE, LEFT_OUT = 64, 5e-4, 2
PADDING = 0  # items count from 1


class Windows:
    """Rows of `items` and of the `targets` that follow them, padded on the right to LENGTH."""

    def __init__(self, path: str) -> None:
        ids: dict[str, int] = {}
        histories: dict[str, list[int]] = {}
        with gzip.open(path, "rt", newline="") as file:
            for record in csv.DictReader(file):
                item = ids.setdefault(record["item_id"], len(ids) + 1)
                histories.setdefault(record["user_id"], []).append(item)
        windows = []
        for history in histories.values():
            for end in range(len(history) - LEFT_OUT, 1, -LENGTH):
                windows.append(history[max(0, end - LENGTH - 1) : end])
        self.catalogue = len(ids)
        self.lengths = torch.tensor([len(window) - 1 for window in windows])
        self.items = torch.full((len(windows), LENGTH), PADDING)
        self.targets = torch.full((len(windows), LENGTH), PADDING)
        for row, window in enumerate(windows):
            self.items[row, : len(window) - 1] = torch.tensor(window[:-1])
            self.targets[row, : len(window) - 1] = torch.tensor(window[1:])


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_hidden = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.hidden, self.back = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        # Padding comes after the real tokens, so the causal mask hides it from them.
        q, k, v = self.qkv(self.before_attention(x)).unsqueeze(1).chunk(3, dim=-1)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True).squeeze(1)
        x = x + self.dropout(self.out(attended))
        hidden = self.dropout(F.relu(self.hidden(self.before_hidden(x))))
        return x + self.dropout(self.back(hidden))


class SasRec(nn.Module):
    def __init__(self, catalogue: int) -> None:
        super().__init__()
        self.item = nn.Embedding(catalogue + 1, WIDTH, padding_idx=PADDING)
        self.position = nn.Embedding(LENGTH, WIDTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.last = nn.LayerNorm(WIDTH)
        nn.init.normal_(self.item.weight, std=0.02)
        nn.init.normal_(self.position.weight, std=0.02)

    def forward(self, items: Tensor, lengths: Tensor) -> Tensor:
        from_end = lengths[:, None] - 1 - torch.arange(items.shape[1])
        x = self.item(items) * WIDTH**0.5 + self.position(from_end.clamp(min=0))
        return self.last(self.blocks(self.dropout(x)))

    def loss(self, items: Tensor, targets: Tensor, lengths: Tensor, negatives: Tensor) -> Tensor:
        real = targets != PADDING
        states, targets = self(items, lengths)[real], targets[real]
        right = (states * self.item(targets)).sum(dim=1, keepdim=True)
        wrong = states @ self.item(negatives).T
        wrong = wrong.masked_fill(targets[:, None] == negatives, -torch.inf)
        scores = torch.cat([right, wrong], dim=1)
        return F.cross_entropy(scores, torch.zeros_like(targets))


def train_epoch(model: SasRec, adam: torch.optim.Optimizer, windows: Windows, layout: str,
                negatives: int) -> tuple[int, float]:
    """The number of tokens with a next item, and their mean loss."""
    tokens, total = 0, 0.0
    for rows in torch.randperm(len(windows.lengths)).split(BATCH):
        lengths = windows.lengths[rows]
        columns = LENGTH if layout == "padded" else int(lengths.max())
        drawn = torch.randint(1, windows.catalogue + 1, (negatives,))
        loss = model.loss(windows.items[rows, :columns], windows.targets[rows, :columns], lengths, drawn)
        adam.zero_grad()
        loss.backward()
        adam.step()
        real = int(lengths.sum())
        tokens += real
        total += real * loss.item()
    return tokens, total / tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="events.csv.gz")
    parser.add_argument("--layout", choices=["padded", "trimmed"], default="padded")
    parser.add_argument("--negatives", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)

    windows = Windows(arguments.data)
    model = SasRec(windows.catalogue)
    adam = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    print(f"torch {torch.__version__}, {arguments.threads} thread(s): {len(windows.lengths)} windows, "
          f"{windows.catalogue} items, {arguments.layout}, {arguments.negatives} negatives")
    print(f"{'epoch':>5} {'wall s':>8} {'CPU s':>8} {'tokens':>8} {'loss':>8}")
    for epoch in range(1, arguments.epochs + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        tokens, loss = train_epoch(model, adam, windows, arguments.layout, arguments.negatives)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{epoch:5} {wall:8.2f} {cpu:8.2f} {tokens:8} {loss:8.4f}", flush=True)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
