"""Batches whose samples take steps of their own: Tide's per_sample beside torchode and diffrax under vmap.

Engines take turns, one run after the other, the least time of each: a solve, then the value and the gradient of the sum of squares of
all states, by mu or the weights. Run by `sh tests/bench/peers.sh --samples`.
"""

import argparse
import os
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WORKS = {"oscillators": "256 van der Pol oscillators, mu 0.1 .. 100, t 0 .. 10, tsit5 1e-6",
         "net": "MLP 2-32-32-2, batch 64, t 0 .. 10, tsit5 1e-4"}
TIMES = {"oscillators": [float(i) for i in range(11)], "net": [0.0, 5.0, 10.0]}
TOLERANCE = {"oscillators": 1e-6, "net": 1e-4}
STEPS = {"oscillators": 4096, "net": 64}  # at most, of diffrax's gradient, which keeps places for some of them


def clock(threads):
    """On one thread the time of the processor, which other programs on the machine do not change."""
    return time.process_time if threads == 1 else time.perf_counter


class Tide:
    def __init__(self, work, program, together, gradient, threads):
        environment = dict(os.environ, TIDE_THREADS=str(threads))
        self.cpu = threads == 1
        self.name = work + (":gradient" if gradient else "") + (":together" if together else "")
        self.process = subprocess.Popen([program, os.path.join(HERE, "samples.lua")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()

    def run(self):
        return float(self.ask("run", self.name, 1).split()[self.cpu])


class Torchode:
    def __init__(self, work, data, gradient, threads):
        import torch
        import torchode
        self.clock = clock(threads)
        torch.set_num_threads(threads)
        given = {k: torch.from_numpy(v) for k, v in data.items()}
        self.by = [x.requires_grad_() for k, x in given.items() if gradient and k != "y0"]
        if work == "oscillators":
            mu = given["mu"][:, 0]

            def f(t, y):
                x, v = y[:, 0], y[:, 1]
                return torch.stack([v, mu * (1 - x * x) * v - x], 1)
        else:
            linear = torch.nn.functional.linear

            def f(t, y):
                h = torch.tanh(linear(y, given["w1"], given["b1"]))
                h = torch.tanh(linear(h, given["w2"], given["b2"]))
                return linear(h, given["w3"], given["b3"])
        y0 = given["y0"]
        term = torchode.ODETerm(f)
        tolerance = TOLERANCE[work]
        self.solver = torchode.AutoDiffAdjoint(torchode.Tsit5(term=term),
                                               torchode.IntegralController(atol=tolerance, rtol=tolerance, term=term))
        times = torch.tensor(TIMES[work], dtype=y0.dtype)
        self.problem = torchode.InitialValueProblem(y0=y0, t_eval=times.expand(len(y0), -1).contiguous())
        self.torch = torch

    def run(self):
        start = self.clock()
        if self.by:
            self.torch.autograd.grad(self.solver.solve(self.problem).ys.square().sum(), self.by)
            return self.clock() - start
        with self.torch.no_grad():
            self.last = self.solver.solve(self.problem).ys[:, -1].numpy()
        return self.clock() - start


class Diffrax:
    def __init__(self, work, data, gradient, threads):
        os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
        import diffrax
        import jax
        import jax.numpy as jnp
        self.clock = clock(threads)
        jax.config.update("jax_enable_x64", True)
        given = {k: jnp.array(v) for k, v in data.items()}
        y0 = given.pop("y0")
        tolerance = TOLERANCE[work]

        def field(t, y, p):
            if work == "oscillators":
                x, v = y[0], y[1]
                return jnp.stack([v, p["mu"][0] * (1 - x * x) * v - x])
            h = jnp.tanh(p["w1"] @ y + p["b1"])
            h = jnp.tanh(p["w2"] @ h + p["b2"])
            return p["w3"] @ h + p["b3"]

        def solve(y, p):
            return diffrax.diffeqsolve(diffrax.ODETerm(field), diffrax.Tsit5(), TIMES[work][0], TIMES[work][-1], None, y, args=p,
                                       saveat=diffrax.SaveAt(ts=jnp.array(TIMES[work])), max_steps=STEPS[work] if gradient else 1 << 20,
                                       throw=False, stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance)).ys

        solve = jax.vmap(solve, (0, 0 if work == "oscillators" else None))
        self.gradient, self.jax = gradient, jax
        if gradient:
            self.solve = jax.jit(jax.value_and_grad(lambda p: jnp.sum(jnp.square(solve(y0, p)))))
        else:
            self.solve = jax.jit(lambda p: solve(y0, p))
        self.given = given

    def run(self):
        start = self.clock()
        result = self.jax.block_until_ready(self.solve(self.given))
        took = self.clock() - start
        if not self.gradient:
            self.last = result[:, -1]
        return took


def measure(work, gradient, options, folder, load):
    tide = Tide(work, options.tide, False, gradient, options.threads)
    path = os.path.join(folder, work + ".npz")
    tide.ask("save", tide.name, path)
    data = load(path)
    last = data.pop("last")
    data.pop("nfe")
    wanted = {name: data.pop(name) for name in list(data) if name.startswith("gradient_")}
    engines = {"Tide, per_sample": tide, "Tide, common steps": Tide(work, options.tide, True, gradient, options.threads),
               "torchode": Torchode(work, data, gradient, options.threads), "diffrax, vmap": Diffrax(work, data, gradient, options.threads)}
    for name, engine in engines.items():
        engine.run()
        if not name.startswith("Tide") and not gradient:
            off = abs(engine.last - last).max()
            print(f"  {name} ends {off:.1e} from Tide")
    if gradient:
        got = engines["diffrax, vmap"].solve(engines["diffrax, vmap"].given)[1]
        off = max(abs(got[name[9:]] - x).max() / abs(x).max() for name, x in wanted.items())
        print(f"  diffrax's gradient is {off:.1e} from Tide's, relative")
    seconds = {name: [] for name in engines}
    for i in range(options.rounds):
        for name in engines if i % 2 == 0 else reversed(engines):
            seconds[name].append(engines[name].run())
    best = {name: min(values) for name, values in seconds.items()}
    print(f"{WORKS[work]}{', value and gradient' if gradient else ''}; {options.threads} thread(s)")
    for name, value in best.items():
        print(f"  {name:20s} {1e3 * value:9.3f} ms   {value / best['Tide, per_sample']:7.2f}x", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="sh tests/bench/peers.sh --samples", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tide", default="./tide")
    parser.add_argument("--only", default=",".join(WORKS))
    options = parser.parse_args()
    import numpy

    def load(path):
        with numpy.load(path) as file:
            return {name: numpy.array(file[name]) for name in file.files}

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.threads])
    with tempfile.TemporaryDirectory() as folder:
        for work in options.only.split(","):
            for gradient in (False, True):
                measure(work, gradient, options, folder, load)


main()
