"""Inner-product search with `hnswlib` among the vectors that ann_bench wrote, one query at a time in one thread: M 16,
ef_construction 200; CPU microseconds per query and recall@10 for several ef. Measure both in one sitting:

    build/release/bench/ann_bench 200000 planted build
    python3 -m venv build/peers && build/peers/bin/pip install hnswlib
    build/peers/bin/python bench/peers/hnswlib_peer.py build
"""

import pathlib
import sys
import time

import hnswlib
import numpy

TOP = 10


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    items = numpy.fromfile(folder / "ann_items.f32", dtype=numpy.float32).reshape(-1, 64)
    queries = numpy.fromfile(folder / "ann_queries.f32", dtype=numpy.float32).reshape(-1, 64)
    exact = [set(numpy.argpartition(-(items @ q), TOP)[:TOP].tolist()) for q in queries]
    index = hnswlib.Index(space="ip", dim=64)
    index.init_index(max_elements=len(items), ef_construction=200, M=16)
    start = time.process_time()
    index.add_items(items, num_threads=2)
    print(f"{len(items)} items built in {time.process_time() - start:.1f} CPU-s, {index.index_file_size() / 1e6:.1f} MB")
    for ef in (10, 20, 40, 80, 160, 320, 640, 1280):
        index.set_ef(ef)
        index.knn_query(queries, k=TOP, num_threads=1)
        start = time.process_time()
        labels, _ = index.knn_query(queries, k=TOP, num_threads=1)
        used = time.process_time() - start
        found = sum(len(want & set(got.tolist())) for want, got in zip(exact, labels))
        print(f"ef {ef}: {1e6 * used / len(queries):.0f} us per query, recall@10 {found / (TOP * len(queries)):.4f}")


if __name__ == "__main__":
    main()
