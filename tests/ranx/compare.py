"""Holds our metrics against ranx, an independent implementation, on a dump.

Usage: compare.py FOLDER...

A dump folder, as `vitrine evaluate --dump FOLDER` writes it, holds <split>.qrels, one <model>.run for each
model, and metrics.json with {"models": [{"name", "metrics": {"recall@20": {"mean"}}}]}.
"""

import json
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")  # numba's, about ranx's casts

import ranx  # noqa: E402

# ours -> ranx's. ranx's ndcg has linear gains, ndcg_burges exponential ones: the same for binary truth.
# What ranx lacks (recall_min, map_min) is not compared here; the unit tests hold it against its definition.
NAMES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "hit_rate": "hit_rate",
    "ndcg": "ndcg",
    "map": "map",
    "mrr": "mrr",
}
TOLERANCE = 2e-6  # we keep values per case in single precision


def compare(folder: pathlib.Path) -> tuple[int, list[str]]:
    """The number of values compared, and what differs."""
    qrels_files = sorted(folder.glob("*.qrels"))
    if len(qrels_files) != 1:
        return 0, [f"{folder}: one .qrels file expected, found {len(qrels_files)}"]
    qrels = ranx.Qrels.from_file(str(qrels_files[0]), kind="trec")
    table = json.loads((folder / "metrics.json").read_text())
    compared, wrong = 0, []
    for model in table["models"]:
        run = ranx.Run.from_file(str(folder / f"{model['name']}.run"), kind="trec")
        ours = {}
        for name, value in model["metrics"].items():
            base, _, cutoff = name.partition("@")
            if base in NAMES:
                ours[f"{NAMES[base]}@{cutoff}"] = value["mean"]
        # Persons with an empty list are not in a run file: make_comparable counts them as such.
        theirs = ranx.evaluate(qrels, run, list(ours), make_comparable=True)
        for name, value in ours.items():
            compared += 1
            if abs(value - theirs[name]) > TOLERANCE:
                wrong.append(f"{folder}: {model['name']} {name}: ours {value:.7f}, ranx {theirs[name]:.7f}")
    return compared, wrong


def main(folders: list[str]) -> int:
    if not folders:
        print(__doc__, file=sys.stderr)
        return 2
    failed = False
    for folder in folders:
        compared, wrong = compare(pathlib.Path(folder))
        for line in wrong:
            print(line, file=sys.stderr)
        failed = failed or bool(wrong) or compared == 0
        print(f"ranx: {compared - len(wrong)} of {compared} values agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
