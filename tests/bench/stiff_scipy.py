"""SciPy's side of tests/bench/stiff.sh: the lines and answers of stiff_cvode.c, METHOD one of solve_ivp's."""

import ctypes
import sys
import time

import numpy
import scipy.integrate


class Call(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int64), ("rows", ctypes.c_int64), ("theta", ctypes.c_void_p),
                ("n_theta", ctypes.c_int64), ("constants", ctypes.c_void_p), ("n_constants", ctypes.c_int64),
                ("message", ctypes.c_void_p), ("message_size", ctypes.c_size_t)]


FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p)


class Field(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("size", ctypes.c_uint32), ("width", ctypes.c_int64),
                ("n_theta", ctypes.c_int64), ("f", FUNCTION)]


class Counted:
    """The right-hand side `name` of the library, which counts its calls."""

    def __init__(self, library, name):
        self.f = Field.in_dll(library, "tide_" + name).f
        self.calls = 0

    def __call__(self, t, y):
        self.calls += 1
        y = numpy.ascontiguousarray(y)
        dy = numpy.empty_like(y)
        call = Call(n=y.size, rows=1)
        self.f(ctypes.addressof(call), t, y.ctypes.data, dy.ctypes.data)
        return dy


def solve(f, method, t, rtol, y0, atol):
    f.calls = 0
    start = time.process_time()
    result = scipy.integrate.solve_ivp(f, (0, t), y0, method=method, rtol=rtol, atol=atol, t_eval=[t])
    seconds = time.process_time() - start
    if not result.success:
        return None
    return [f.calls, result.njev or 0, 0, 0, seconds], result.y[:, -1]


def main():
    library = ctypes.CDLL(sys.argv[1])
    for line in sys.stdin:
        words = line.split()
        n = int(words[2])
        numbers = [float(word) for word in words[3:]]
        t, rtol = numbers[:2]
        y0, atol = numpy.array(numbers[3:3 + n]), numpy.array(numbers[3 + n:])
        try:
            answer = solve(Counted(library, words[1]), words[0], t, rtol, y0, atol)
        except (ValueError, FloatingPointError):
            answer = None
        if answer is None:
            print("failed", flush=True)
        else:
            print(*answer[0], *(f"{value:.17g}" for value in answer[1]), flush=True)


if __name__ == "__main__":
    main()
