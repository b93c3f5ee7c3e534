"""tide.linalg beside scipy.linalg, on one thread each: `sh tests/bench/peers.sh --linalg [words]`, or this file with
a Python that has SciPy; words choose functions and sizes. Rows: function, size, batch (SciPy in a loop), dtype, the
least CPU time of both in milliseconds, Tide's over SciPy's."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import subprocess
import sys
import time

import numpy
import scipy.linalg

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = 0.12 # of each turn, which makes three calls at least
TURNS = 6
CALLS = {
    "solve": lambda a, b, s: scipy.linalg.solve(a, b),
    "inv": lambda a, b, s: scipy.linalg.inv(a),
    "det": lambda a, b, s: scipy.linalg.det(a),
    "cholesky": lambda a, b, s: scipy.linalg.cholesky(s, lower=True),
    "qr": lambda a, b, s: scipy.linalg.qr(a, mode="economic"),
    "eigh": lambda a, b, s: scipy.linalg.eigh(s, driver="evd"),
    "eigvals": lambda a, b, s: scipy.linalg.eigvals(a),
    "svd": lambda a, b, s: scipy.linalg.svd(a, full_matrices=False),
    "lstsq": lambda a, b, s: scipy.linalg.lstsq(a, b),
    "matrix_exp": lambda a, b, s: scipy.linalg.expm(a),
}


def peer(name, n, batch, dtype):
    r = numpy.random.default_rng(1)
    a = r.standard_normal((batch, n, n)) * 0.1 + numpy.diag(numpy.arange(1, n + 1)) / n + numpy.eye(n) * n**0.5 * 0.3
    a = a.astype(dtype)
    b = r.standard_normal((batch, n, 8)).astype(dtype)
    s = a @ a.swapaxes(1, 2)

    def run():
        for i in range(batch):
            CALLS[name](a[i], b[i], s[i])

    run()
    best, spent, calls = float("inf"), 0.0, 0
    while spent < SECONDS or calls < 3:
        begin = time.process_time()
        run()
        one = time.process_time() - begin
        best, spent, calls = min(best, one), spent + one, calls + 1
    return best


def main():
    environment = dict(os.environ, TIDE_THREADS="1")
    tide = subprocess.Popen(
        [os.path.join(ROOT, "tide"), os.path.join(ROOT, "tests/bench/linalg.lua")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    only = sys.argv[1:]
    print("function,n,batch,dtype,tide_ms,scipy_ms,ratio")
    for dtype in ("float64", "float32"):
        for n, batch in ((4, 256), (32, 32), (100, 1), (400, 1)):
            for name in CALLS:
                if only and not {name, str(n), dtype} & set(only):
                    continue
                ours = theirs = float("inf")
                for _ in range(TURNS):
                    tide.stdin.write(f"{name} {n} {batch} {dtype} {SECONDS}\n")
                    tide.stdin.flush()
                    ours = min(ours, float(tide.stdout.readline()))
                    theirs = min(theirs, peer(name, n, batch, dtype))
                row = f"{name},{n},{batch},{dtype},{ours * 1e3:.4g},{theirs * 1e3:.4g},{ours / theirs:.3g}"
                print(row, flush=True)
    tide.stdin.close()
    tide.wait()


if __name__ == "__main__":
    sys.exit(main())
