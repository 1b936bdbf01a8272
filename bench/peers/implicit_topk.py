"""Top-20 of 40,981 items for 29,858 query vectors of 64 dimensions with `implicit`, one thread: the peer of
scan_bench. Measure both in one sitting:

    build/release/bench/scan_bench 5 --dump build
    python3 -m venv build/peers && build/peers/bin/pip install implicit
    OPENBLAS_NUM_THREADS=1 build/peers/bin/python bench/peers/implicit_topk.py build
"""

import pathlib
import sys
import time

import numpy
from implicit.cpu.topk import topk

REPEATS = 5


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    users = numpy.fromfile(folder / "users.f32", dtype=numpy.float32).reshape(-1, 64)
    for kind in ("normal", "skewed"):
        items = numpy.fromfile(folder / f"items_{kind}.f32", dtype=numpy.float32).reshape(-1, 64)
        seconds = []
        for _ in range(REPEATS):
            start = time.process_time()
            topk(items, users, 20, num_threads=1)
            seconds.append(time.process_time() - start)
        seconds.sort()
        low, middle, high = seconds[0], seconds[len(seconds) // 2], seconds[-1]
        print(f"{kind:8} implicit {low:.2f} {middle:.2f} {high:.2f} CPU s")


if __name__ == "__main__":
    main()
