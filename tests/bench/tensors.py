"""Sorting, sums, positions, einsum and batched products beside NumPy and PyTorch, on one thread each:
`sh tests/bench/peers.sh --tensors`, or this file with a Python that has both. Rows: work, dtype, the least times of
the processor in milliseconds, Tide's over that of the peer that the row is measured by."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import subprocess
import sys
import time

import numpy
import torch

torch.set_num_threads(1)
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = 0.08 # of each turn
TURNS = 5
N = 1000000


def of_numbers(by_numpy, by_torch):
    def make(dtype):
        r = numpy.random.default_rng(1)
        x = (r.standard_normal(N) * (1e6 if dtype == "int64" else 1)).astype(dtype)
        at = r.permutation(N)
        tx, tat = torch.tensor(x), torch.tensor(at)
        return (lambda: by_numpy(x, at)) if by_numpy else None, lambda: by_torch(tx, tat)
    return make


def products(shapes, by_numpy, by_torch):
    def make(dtype):
        r = numpy.random.default_rng(1)
        list_ = [r.standard_normal(shape).astype(dtype) for shape in shapes]
        tensors = [torch.tensor(x) for x in list_]
        return lambda: by_numpy(*list_), lambda: by_torch(*tensors)
    return make


def matmul(*shapes):
    return products(shapes, numpy.matmul, torch.matmul)


def einsum(equation, *shapes):
    return products(shapes, lambda *x: numpy.einsum(equation, *x, optimize=True), lambda *x: torch.einsum(equation, *x))


# work -> how to make it, and the peer that it is measured by
WORKS = {
    "sort": (of_numbers(lambda x, at: numpy.sort(x), lambda x, at: torch.sort(x)), "numpy"),
    "sort with positions": (of_numbers(lambda x, at: numpy.take(x, numpy.argsort(x, kind="stable")),
        lambda x, at: torch.sort(x, stable=True)), "numpy"),
    "argsort": (of_numbers(lambda x, at: numpy.argsort(x), lambda x, at: torch.argsort(x)), "numpy"),
    "cumsum": (of_numbers(lambda x, at: numpy.cumsum(x), lambda x, at: torch.cumsum(x, 0)), "numpy"),
    "gather": (of_numbers(lambda x, at: numpy.take_along_axis(x, at, 0), lambda x, at: torch.gather(x, 0, at)), "numpy"),
    "take": (of_numbers(lambda x, at: numpy.take(x, at), lambda x, at: torch.index_select(x, 0, at)), "numpy"),
    "scatter_add": (of_numbers(None, lambda x, at: x.scatter_add(0, at, x)), "torch"),
    "unique": (of_numbers(lambda x, at: numpy.unique(x, return_inverse=True, return_counts=True),
        lambda x, at: torch.unique(x, return_inverse=True, return_counts=True)), "numpy"),
    "topk": (of_numbers(lambda x, at: numpy.sort(numpy.partition(x, N - 100)[N - 100:]),
        lambda x, at: torch.topk(x, 100)), "torch"),
    "matmul 64 x 32 32 32": (matmul((64, 32, 32), (64, 32, 32)), "torch"),
    "matmul 1000 x 4 4 4": (matmul((1000, 4, 4), (1000, 4, 4)), "torch"),
    "matmul 16 x 128 128 128": (matmul((16, 128, 128), (16, 128, 128)), "torch"),
    "matmul 8 x 1 x 64 64 64, 6 x 64 64": (matmul((8, 1, 64, 64), (6, 64, 64)), "torch"),
    "bij,bjk->bik 32 64 64 64": (einsum("bij,bjk->bik", (32, 64, 64), (32, 64, 64)), "torch"),
    "bhqd,bhkd->bhqk 4 8 64 32": (einsum("bhqd,bhkd->bhqk", (4, 8, 64, 32), (4, 8, 64, 32)), "torch"),
    "bqhd,bkhd->bhqk 4 64 8 32": (einsum("bqhd,bkhd->bhqk", (4, 64, 8, 32), (4, 64, 8, 32)), "torch"),
    "ij,kj->ik 300 300 300": (einsum("ij,kj->ik", (300, 300), (300, 300)), "torch"),
    "bi,bj->bij 256 64 64": (einsum("bi,bj->bij", (256, 64), (256, 64)), "torch"),
    "ijk,k->ij 64 64 64": (einsum("ijk,k->ij", (64, 64, 64), (64,)), "torch"),
    "bi,ij,bj->b 256 64 64": (einsum("bi,ij,bj->b", (256, 64), (64, 64), (256, 64)), "torch"),
}


def least(run):
    if run is None:
        return float("nan")
    run()
    best, spent = float("inf"), 0.0
    while spent < SECONDS:
        begin = time.process_time()
        run()
        one = time.process_time() - begin
        best, spent = min(best, one), spent + one
    return best


def described():
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    with open("/proc/cpuinfo") as lines:
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return (f"# sh tests/bench/peers.sh --tensors; commit {commit.stdout.strip()}; {cpu}, 1 of {os.cpu_count()} cores; "
        f"NumPy {numpy.__version__}, PyTorch {torch.__version__}; load average {os.getloadavg()[0]:.1f}")


def main():
    environment = dict(os.environ, TIDE_THREADS="1")
    tide = subprocess.Popen(
        [os.path.join(ROOT, os.environ.get("TIDE_BINARY", "tide")), os.path.join(ROOT, "tests/bench/tensors.lua")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    only = sys.argv[1:]
    print(described())
    print("work,dtype,tide_ms,numpy_ms,torch_ms,by,ratio")
    for name, (make, by) in WORKS.items():
        if only and not any(word in name for word in only):
            continue
        for dtype in ("float64", "float32") + (("int64",) if by == "numpy" else ()):
            peers = make(dtype)
            best = [float("inf")] * 3
            for _ in range(TURNS):
                tide.stdin.write(f"{name} {dtype} {SECONDS}\n")
                tide.stdin.flush()
                times = float(tide.stdout.readline()), least(peers[0]), least(peers[1])
                best = [min(a, b) for a, b in zip(best, times)]
            ratio = best[0] / (best[1] if by == "numpy" else best[2])
            cells = [f"{1e3 * t:.4g}" if t < float("inf") else "" for t in best]
            print(f'"{name}",{dtype},{",".join(cells)},{by},{ratio:.3g}', flush=True)
    tide.stdin.close()
    tide.wait()


if __name__ == "__main__":
    sys.exit(main())
