"""Training steps of Tide, PyTorch + torchdiffeq and JAX + diffrax, side by side.

Each engine is a process of its own that answers the same commands (see worker.lua); this script lets them take turns, so that a change
of the machine's speed meets all of them. All start from the same weights and the same batch, which Tide writes to a file.

Run by peers.sh.  `peers.py --worker torch|jax` is the other end.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = ("augment", "time", "readout", "steps")
LR = 1e-4  # of the check
LOG_2_PI = math.log(2 * math.pi)  # minus log p of the normal distribution in the plane, at 0
PATIENCE = 60  # seconds after which an engine gets no more turns in a work


# ---- what the workers for Python engines share ----

def load(path):
    """Data, weights ([(w, b), ...] of the field; read-out or None) and shape of a work, as NumPy arrays."""
    import numpy as np
    with np.load(path) as file:
        arrays = {name: np.array(file[name]) for name in file.files}
    spec = dict(zip(SPEC, (int(v) for v in arrays.pop("spec"))))
    spec["noise"] = arrays.get("noise")  # of a flow whose divergence is estimated
    layers = []
    while f"layer{len(layers) + 1}_weight" in arrays:
        i = len(layers) + 1
        layers.append((arrays[f"layer{i}_weight"], arrays[f"layer{i}_bias"]))
    out = (arrays["out_weight"], arrays["out_bias"]) if spec["readout"] else None
    y = arrays["y"]
    if y.dtype == np.int64:
        y = y - 1  # class labels are 1-based in Tide
    return arrays["x"], y, layers, out, spec


def resident(name):
    """Resident memory of this process in KiB: VmRSS now, VmHWM the peak since the last reset."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))


def reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def serve(engine):
    """Answer commands until the end of input: prepare, check, run, forget, memory, threads, info."""
    works = {}

    def measure_memory(path, description):
        import gc
        work = engine.prepare(load(path), dict(zip(("kind", "loss", "gradient", "method"), description.split(":"))))
        gc.collect()
        reset_peak()
        before = resident("VmRSS")
        seconds, losses, _, _ = work.run(1)
        return f"{before} {resident('VmHWM')} {seconds:.6g} {losses[0]:.9g}"

    def answer(command, arguments):
        if command == "prepare":
            name, path, description = arguments
            works[name] = engine.prepare(load(path), dict(zip(("kind", "loss", "gradient", "method"), description.split(":"))))
            return ""
        if command == "check":
            _, losses, nfe, nfe_backward = works[arguments[0]].run(int(arguments[1]))
            works[arguments[0]].freeze()
            return f"{losses[0]:.9g} {losses[-1]:.9g} {nfe:.6g} {nfe_backward:.6g}"
        if command == "run":
            seconds, _, nfe, nfe_backward = works[arguments[0]].run(int(arguments[1]))
            return f"{seconds:.9g} {nfe:.6g} {nfe_backward:.6g}"
        if command == "memory":
            return measure_memory(*arguments)
        if command == "forget":
            works.pop(arguments[0], None)
            return ""
        if command == "threads":
            engine.threads(int(arguments[0]))
            return ""
        if command == "info":
            return engine.info()
        raise ValueError("unknown command")

    for line in sys.stdin:
        words = line.split()
        try:
            text = "ok " + answer(words[0], words[1:])
        except Exception as e:  # the other end prints it
            text = f"error {type(e).__name__}: {e}".replace("\n", " | ")[:500]
        print(text, flush=True)


# ---- PyTorch + torchdiffeq ----

def torch_engine():
    import torch
    import torchdiffeq
    from torch import nn
    from torch.nn import functional as F

    class Field(nn.Module):
        def __init__(self, layers, kind, uses_time):
            super().__init__()
            self.uses_time, self.nfe = uses_time, 0
            self.act = torch.tanh if kind == "flow" else F.relu
            linear = lambda w: nn.Linear(w.shape[1], w.shape[0])
            make = {"mlp": linear, "flow": linear,
                    "conv1d": lambda w: nn.Conv1d(w.shape[1], w.shape[0], w.shape[2], padding=w.shape[2] // 2),
                    "conv2d": lambda w: nn.Conv2d(w.shape[1], w.shape[0], w.shape[2], padding=w.shape[2] // 2)}[kind]
            self.layers = nn.ModuleList(make(w) for w, _ in layers)

        def forward(self, t, y):
            self.nfe += 1
            if self.uses_time:
                y = torch.cat([y, t.expand(y.shape[0], 1)], 1)
            first, second, third = self.layers
            return third(self.act(second(self.act(first(y)))))

    class Flow(nn.Module):
        """log p(x): the field and its divergence as torchdiffeq's example and FFJORD have them."""

        def __init__(self, layers, out, spec, how):
            super().__init__()
            self.field, self.out = Field(layers, how["kind"], spec["time"]), None
            self.noise = None if spec["noise"] is None else torch.from_numpy(spec["noise"])
            self.register_buffer("times", torch.tensor([1.0, 0.0]))

        def forward(self, x):
            def with_divergence(t, state):
                z = state[0]
                with torch.enable_grad():
                    z = z if z.requires_grad else z.detach().requires_grad_(True)
                    dz = self.field(t, z)
                    if self.noise is None:
                        value = sum(torch.autograd.grad(dz[:, i].sum(), z, create_graph=True)[0][:, i] for i in range(z.shape[1]))
                    else:
                        value = (torch.autograd.grad(dz, z, self.noise, create_graph=True)[0] * self.noise).sum(1)
                return dz, value
            z, log = torchdiffeq.odeint(with_divergence, (x, x.new_zeros(x.shape[0])), self.times, method="dopri5", rtol=1e-4, atol=1e-4)
            return log[-1] - 0.5 * (z[-1] ** 2).sum(1) - LOG_2_PI

    class Model(nn.Module):
        def __init__(self, layers, out, spec, how):
            super().__init__()
            self.field = Field(layers, how["kind"], spec["time"])
            self.augment, self.flatten = spec["augment"], how["kind"] == "conv2d"
            self.out = nn.Linear(out[0].shape[1], out[0].shape[0]) if out else None
            self.solve = torchdiffeq.odeint_adjoint if how["gradient"] == "adjoint" else torchdiffeq.odeint
            self.options = (dict(method="euler", options=dict(step_size=1 / spec["steps"])) if how["method"] == "euler" else
                            dict(method="dopri5", rtol=1e-3, atol=1e-3))
            self.register_buffer("times", torch.tensor([0.0, 1.0]))

        def forward(self, x):
            if self.augment:
                x = torch.cat([x, x.new_zeros(x.shape[0], self.augment)], 1)
            h = self.solve(self.field, x, self.times, **self.options)[-1]
            if self.flatten:
                h = h.flatten(1)
            return self.out(h) if self.out else h

    class Work:
        def __init__(self, arrays, how):
            x, y, layers, out, spec = arrays
            self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
            self.model = (Flow if how["kind"] == "flow" else Model)(layers, out, spec, how)
            self.loss = {"smooth_l1": F.smooth_l1_loss, "mse": F.mse_loss, "cross_entropy": F.cross_entropy,
                         "nll": lambda log_p, _: -log_p.mean()}[how["loss"]]
            with torch.no_grad():
                targets = list(self.model.field.layers) + ([self.model.out] if out else [])
                for module, (w, b) in zip(targets, layers + ([out] if out else [])):
                    module.weight.copy_(torch.from_numpy(w))
                    module.bias.copy_(torch.from_numpy(b))
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LR, fused=True)

        def freeze(self):
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.0, fused=True)

        def run(self, k):
            field, losses, forward, backward = self.model.field, [], 0, 0
            start = time.perf_counter()
            for _ in range(k):
                field.nfe = 0
                self.optimizer.zero_grad()
                loss = self.loss(self.model(self.x), self.y)
                forward += field.nfe
                evaluations, field.nfe = field.nfe, 0
                loss.backward()
                backward += field.nfe or evaluations  # without an adjoint each evaluation is differentiated, none is made anew
                self.optimizer.step()
                losses.append(loss.item())
            return time.perf_counter() - start, losses, forward / k, backward / k

    class Engine:
        prepare = staticmethod(Work)
        threads = staticmethod(torch.set_num_threads)

        @staticmethod
        def info():
            return f"PyTorch {torch.__version__}, torchdiffeq {torchdiffeq.__version__}, {torch.get_num_threads()} threads"

    return Engine


# ---- JAX + diffrax ----

def jax_engine():
    import diffrax
    import jax
    import jax.numpy as jnp
    import numpy as np
    from functools import partial

    # Channels last: the layout that XLA's convolutions on a CPU are fast in.
    def to_last(w):
        return np.moveaxis(w, (0, 1), (-1, -2)) if w.ndim > 2 else w.T

    def apply(kind, layer, x):
        w, b = layer
        if kind in ("mlp", "flow"):
            return x @ w + b
        if w.size == w.shape[-1] * w.shape[-2]:  # 1x1
            return x @ w.reshape(w.shape[-2:]) + b
        if kind == "conv2d":  # a sum of products, one per tap: XLA's convolution took minutes for a few steps of mnist
            rows, columns = x.shape[1:3]
            p = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            return sum(p[:, i:i + rows, j:j + columns] @ w[i, j] for i in range(3) for j in range(3)) + b
        return jax.lax.conv_general_dilated(x, w, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")) + b

    def field(kind, uses_time, t, y, layers):
        if uses_time:
            y = jnp.concatenate([y, jnp.full((y.shape[0], 1), t, y.dtype)], 1)
        first, second, third = layers
        act = jnp.tanh if kind == "flow" else jax.nn.relu
        return apply(kind, third, act(apply(kind, second, act(apply(kind, first, y)))))

    def log_density(spec, layers, x):
        def with_divergence(t, state, layers):
            dz, pull = jax.vjp(lambda z: field("flow", spec["time"], t, z, layers), state[0])
            if spec["noise"] is not None:
                return dz, jnp.sum(pull(spec["noise"])[0] * spec["noise"], 1)
            width = x.shape[1]
            rows = jax.vmap(lambda e: pull(jnp.broadcast_to(e, x.shape))[0])(jnp.eye(width))
            return dz, jnp.einsum("ini->n", rows)
        solution = diffrax.diffeqsolve(diffrax.ODETerm(with_divergence), diffrax.Dopri5(), 1.0, 0.0, None,
                                       (x, jnp.zeros(x.shape[0])), layers, max_steps=64,
                                       stepsize_controller=diffrax.PIDController(rtol=1e-4, atol=1e-4),
                                       adjoint=diffrax.RecursiveCheckpointAdjoint(checkpoints=32))
        z, log = solution.ys[0][-1], solution.ys[1][-1]
        return log - 0.5 * jnp.sum(z ** 2, 1) - LOG_2_PI, 2 + 6 * solution.stats["num_steps"]

    def smooth_l1(p, y):
        d = jnp.abs(p - y)
        return jnp.mean(jnp.where(d < 1, 0.5 * d * d, d - 0.5))

    def cross_entropy(p, y):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(p), y[:, None], 1))

    losses = {"smooth_l1": smooth_l1, "mse": lambda p, y: jnp.mean((p - y) ** 2), "cross_entropy": cross_entropy,
              "nll": lambda log_p, y: -jnp.mean(log_p)}

    def forward(how, spec, params, x):
        layers, out = params
        if how["kind"] == "flow":
            return log_density(spec, layers, x)
        if spec["augment"]:
            x = jnp.concatenate([x, jnp.zeros((x.shape[0], spec["augment"]), x.dtype)], 1)
        term = diffrax.ODETerm(partial(field, how["kind"], spec["time"]))
        adjoint = diffrax.BacksolveAdjoint() if how["gradient"] == "adjoint" else None
        if how["method"] == "euler":
            steps = spec["steps"]
            solution = diffrax.diffeqsolve(term, diffrax.Euler(), 0.0, 1.0, None, x, layers, max_steps=steps,
                                           stepsize_controller=diffrax.StepTo(np.linspace(0, 1, steps + 1)),
                                           adjoint=diffrax.RecursiveCheckpointAdjoint(checkpoints=steps))
            nfe = steps
        else:
            solution = diffrax.diffeqsolve(term, diffrax.Dopri5(), 0.0, 1.0, None, x, layers, max_steps=64,
                                           stepsize_controller=diffrax.PIDController(rtol=1e-3, atol=1e-3),
                                           adjoint=adjoint or diffrax.RecursiveCheckpointAdjoint(checkpoints=32))
            nfe = 2 + 6 * solution.stats["num_steps"]
        h = solution.ys[-1]
        if how["kind"] == "conv2d":  # the read-out's weights are in the order channels, rows, columns
            h = jnp.moveaxis(h, -1, 1).reshape(h.shape[0], -1)
        return (h @ out[0] + out[1] if out else h), nfe

    def adam(params, grads, m, v, step, lr):
        m = jax.tree.map(lambda a, g: 0.9 * a + 0.1 * g, m, grads)
        v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, v, grads)
        c1, c2 = 1 - 0.9 ** step, 1 - 0.999 ** step
        return jax.tree.map(lambda p, a, b: p - lr * (a / c1) / (jnp.sqrt(b / c2) + 1e-8), params, m, v), m, v

    class Work:
        def __init__(self, arrays, how):
            x, y, layers, out, spec = arrays
            convolution = how["kind"].startswith("conv")
            self.x = jnp.asarray(np.moveaxis(x, 1, -1) if convolution else x)
            self.y = jnp.asarray(np.moveaxis(y, 1, -1) if how["kind"] == "conv1d" else y)
            params = ([(jnp.asarray(to_last(w)), jnp.asarray(b)) for w, b in layers],
                      (jnp.asarray(out[0].T), jnp.asarray(out[1])) if out else None)
            self.lr, self.backward = LR, float("nan") if how["gradient"] == "adjoint" else None
            self.state = self.fresh(params)
            loss = losses[how["loss"]]

            @partial(jax.jit, donate_argnums=0)
            def step(state, x, y, lr):
                params, m, v, count = state

                def objective(p):
                    prediction, nfe = forward(how, spec, p, x)
                    return loss(prediction, y), nfe
                (value, nfe), grads = jax.value_and_grad(objective, has_aux=True)(params)
                params, m, v = adam(params, grads, m, v, count, lr)
                return (params, m, v, count + 1), value, nfe
            self.step = step

        @staticmethod
        def fresh(params):
            zeros = partial(jax.tree.map, jnp.zeros_like)
            return params, zeros(params), zeros(params), jnp.float32(1)

        def freeze(self):
            self.lr, self.state = 0.0, self.fresh(self.state[0])

        def run(self, k):
            values, nfe, lr = [], 0, jnp.float32(self.lr)
            start = time.perf_counter()
            for _ in range(k):
                self.state, value, nfe = self.step(self.state, self.x, self.y, lr)
                values.append(float(value))
            jax.block_until_ready(self.state)
            seconds, nfe = time.perf_counter() - start, float(nfe)
            return seconds, values, nfe, nfe if self.backward is None else self.backward

    class Engine:
        prepare = staticmethod(Work)

        @staticmethod
        def threads(n):
            raise ValueError("the number of threads is fixed at the start")

        @staticmethod
        def info():
            return f"JAX {jax.__version__}, diffrax {diffrax.__version__}, {len(os.sched_getaffinity(0))} threads"

    return Engine


# ---- the side that compares ----

class Worker:
    """A process that answers commands, one line each."""

    def __init__(self, name, command, environment):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, *words):
        try:
            self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"{self.name} ended at {' '.join(str(w) for w in words)}")
        status, _, rest = line.rstrip("\n").partition(" ")
        if status != "ok":
            raise RuntimeError(f"{self.name}: {rest}")
        return rest

    def numbers(self, *words):
        return [float(v) for v in self.ask(*words).split()]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Competitor:
    """A worker with a number of threads: PyTorch runs with one thread as well where that is faster."""

    def __init__(self, name, worker, threads, switch=False):
        self.name, self.worker, self.threads, self.switch = name, worker, threads, switch
        self.seconds, self.nfe, self.steps = [], (0, 0), 1

    def run(self, work, steps):
        if self.switch:
            self.worker.ask("threads", self.threads)
        seconds, forward, backward = self.worker.numbers("run", work, steps)
        self.nfe = (forward, backward)
        return seconds / steps

    def calibrate(self, work, target):
        once = self.run(work, 1)
        if once < target:
            once = min(once, self.run(work, 1))
        self.steps = max(1, min(2000, round(target / once)))
        return once if self.steps == 1 else min(once, self.run(work, max(1, self.steps // 4)))

    def turn(self, work):
        self.seconds.append(self.run(work, self.steps))

    @property
    def median(self):
        return statistics.median(self.seconds)


def note(text, last=True):
    """A line on standard error; with last=False one that the next replaces, on a terminal only."""
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="\n" if last else "", file=sys.stderr, flush=True)
    elif last:
        print(text, file=sys.stderr, flush=True)


def machine():
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0], len(os.sched_getaffinity(0))
    except (OSError, IndexError):
        return "unknown processor", os.cpu_count()


def settings():
    """Variables of the environment that choose kernels or threads: they change what is measured."""
    names = ("OPENBLAS_", "TIDE_ISA", "MKL_", "OMP_", "DNNL_", "ONEDNN_", "XLA_", "ATEN_")
    return " ".join(f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(names)) or "nothing that chooses kernels or threads"


def start_workers(options):
    threads = str(options.threads)
    environment = dict(os.environ, TIDE_THREADS=threads, OMP_NUM_THREADS=threads, JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="2")
    environment.pop("PYTHONPATH", None)
    workers = {"tide": Worker("tide", [options.tide, os.path.join(HERE, "worker.lua")], environment)}
    for name, modules in (("torch", "torch, torchdiffeq"), ("jax", "jax, diffrax")):
        if name in options.without:
            continue
        if subprocess.run([sys.executable, "-c", "import " + modules], env=environment, stderr=subprocess.DEVNULL).returncode:
            print(f"({modules} cannot be imported: left out)", file=sys.stderr)
            continue
        workers[name] = Worker(name, [sys.executable, os.path.abspath(__file__), "--worker", name], environment)
        workers[name].info = workers[name].ask("info")
    workers["tide"].info = workers["tide"].ask("info")
    return workers


def measure(work, description, heavy, workers, options, folder):
    """One row: {engine: result}. Prepare everywhere, check that all learn the same, then take turns."""
    path = os.path.join(folder, work + ".npz")
    row, checks = {"work": work, "title": workers["tide"].ask("title", work)}, {}
    precise = description.endswith(":highest")
    names = [n for n in workers if n == "tide" or not (n == "jax" and not precise)]
    for name in list(names):
        try:
            workers[name].ask("prepare", work, path, *([] if name == "tide" else [description]))
            if name == "torch":
                workers[name].ask("threads", options.threads if heavy else 1)
            checks[name] = workers[name].numbers("check", work, 2 if heavy else 5)
        except RuntimeError as e:
            if name == "tide":
                raise
            note(f"  {work}: {e}")
            names.remove(name)
    row["checks"] = checks
    for name, values in checks.items():
        for i in (0, 1):
            if not abs(values[i] - checks["tide"][i]) <= (0.02 if precise else 0.1) * abs(checks["tide"][i]) + 1e-6:
                note(f"  note: {work}: the loss of {name} is {values[i]:.6g}, Tide's {checks['tide'][i]:.6g}")
    row["competitors"] = competitors = {}
    target = options.seconds
    candidates = []
    for name in names:
        c = Competitor(name, workers[name], options.threads, name == "torch")
        if name == "torch" and options.threads > 1 and not heavy:
            single = Competitor(name, workers[name], 1, True)
            once = single.calibrate(work, target)
            candidates.append(single)
            if min(c.run(work, 1) for _ in range(3)) > 1.5 * once:
                continue
        c.calibrate(work, target)
        candidates.append(c)
    rounds = options.heavy_rounds if heavy else options.rounds
    for i in range(rounds):
        for c in candidates if i % 2 == 0 else reversed(candidates):
            if sum(c.seconds) * c.steps > PATIENCE:
                continue
            c.turn(work)
            time.sleep(0.3 if heavy else 0.02)  # let worker threads that wait by spinning go to sleep
    for c in candidates:
        if c.name not in competitors or c.median < competitors[c.name].median:
            competitors[c.name] = c
    for name in names:
        workers[name].ask("forget", work)
    return row


def shown(row, name):
    """Cells for one engine: milliseconds, NFE, ratio, ratio per evaluation."""
    c, tide = row["competitors"].get(name), row["competitors"]["tide"]
    if not c:
        return ["-"] * (2 if name == "tide" else 4)
    total = sum(c.nfe)
    threads = f" ({c.threads})" if name == "torch" else ""
    cells = [f"{1e3 * c.median:.4g}{threads}", f"{c.nfe[0]:.0f}+" + ("?" if c.nfe[1] != c.nfe[1] else f"{c.nfe[1]:.0f}")]
    if name != "tide":
        ratio = c.median / tide.median
        cells += [f"{ratio:.1f}x", "?" if total != total else f"{ratio * sum(tide.nfe) / total:.1f}x"]
    return cells


def print_table(rows, names):
    titles = {"tide": "Tide", "torch": "torchdiffeq", "jax": "diffrax"}
    header = ["one training step"]
    for name in names:
        header += [titles[name] + " ms", "NFE"] + ([] if name == "tide" else ["ratio", "per NFE"])
    table = [header] + [[row["title"]] + [cell for name in names for cell in shown(row, name)] for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    for i, line in enumerate(table):
        print("  " + "  ".join(cell.ljust(w) if j == 0 else cell.rjust(w) for j, (cell, w) in enumerate(zip(line, widths))))
        if i == 0:
            print("  " + "  ".join("-" * w for w in widths))


def write_csv(path, rows, workers, options, load):
    processor, cores = machine()
    part = path + ".part"
    with open(part, "w") as file:
        arguments = " ".join(sys.argv[1:])
        file.write(f"# command: sh tests/bench/peers.sh {arguments}\n".replace(" \n", "\n"))
        file.write(f"# machine: {processor}, {cores} cores, {options.threads} threads each; load average before the start {load[0]:.2f}, "
                   f"at the end {os.getloadavg()[0]:.2f} (the measurement itself included)\n")
        file.write(f"# environment: {settings()}\n")
        for worker in workers.values():
            file.write(f"# {worker.info}\n")
        file.write("# seconds: median over the rounds, engines taking turns; fastest, slowest: the extremes; steps: steps per run\n")
        file.write("# ratio: median / Tide's median; ratio_per_nfe: the same per evaluation, forward and backward\n")
        file.write("# loss_first, loss_last: of the check before the measurement, all engines from the same weights\n")
        file.write("work,engine,threads,seconds,fastest,slowest,rounds,steps,nfe_forward,nfe_backward,ratio,ratio_per_nfe,"
                   "loss_first,loss_last\n")
        for row in rows:
            tide = row["competitors"]["tide"]
            for name, c in row["competitors"].items():
                ratio = c.median / tide.median
                per_nfe = ratio * sum(tide.nfe) / sum(c.nfe)
                fields = [row["work"], name, c.threads, *(f"{v:.6g}" for v in (c.median, min(c.seconds), max(c.seconds)))]
                fields += [len(c.seconds), c.steps, *(f"{v:.6g}" for v in (*c.nfe, ratio, per_nfe, *row["checks"][name][:2]))]
                file.write(",".join(str(f) for f in fields) + "\n")
    os.replace(part, path)


def main():
    parser = argparse.ArgumentParser(prog="sh tests/bench/peers.sh", description="Training steps of Tide and its peers, side by side.")
    parser.add_argument("--only", default="", help="names of works, separated by commas (`./tide tests/bench/bench.lua --list`)")
    parser.add_argument("--threads", type=int, default=0, help="threads for every engine, pinned to as many cores (default: all cores)")
    parser.add_argument("--rounds", type=int, default=11, help="turns of every engine in a small work (default 11)")
    parser.add_argument("--heavy-rounds", type=int, default=5, help="turns in an image work (default 5)")
    parser.add_argument("--seconds", type=float, default=0.15, help="length of a turn where steps are shorter (default 0.15)")
    parser.add_argument("--without", default="", help="leave out torch or jax")
    parser.add_argument("--csv", default="", help="write the table to this file")
    parser.add_argument("--tide", default="./tide", help="the program to measure (default ./tide)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        serve({"torch": torch_engine, "jax": jax_engine}[options.worker]())
        return 0
    cores = sorted(os.sched_getaffinity(0))
    options.threads = options.threads or len(cores)
    os.sched_setaffinity(0, cores[:options.threads])
    load = os.getloadavg()
    workers = start_workers(options)
    descriptions = {d.split(":", 1)[0]: d.split(":", 1)[1] for d in workers["tide"].ask("works").split()}
    chosen = [n for n in options.only.split(",") if n] or list(descriptions)
    unknown = [n for n in chosen if n not in descriptions]
    if unknown:
        print(f"no work {unknown[0]}; there are: {' '.join(descriptions)}", file=sys.stderr)
        return 2
    processor, count = machine()
    print(f"{processor}, {count} cores; load average {load[0]:.2f}; environment: {settings()}")
    for worker in workers.values():
        print("  " + worker.info)
    print()
    rows, failed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for work in chosen:
            note(f"{work} ...", last=False)
            try:
                rows.append(measure(work, descriptions[work], ":conv2d:" in ":" + descriptions[work], workers, options, folder))
            except RuntimeError as e:
                failed += 1
                note(f"  {work}: {e}")
            if options.csv and rows:  # after each work, so that a run that is stopped leaves what it has
                write_csv(options.csv, rows, workers, options, load)
    note("", last=False)
    print_table(rows, list(workers))
    print("\nratio: peer's time / Tide's; per NFE: the same per evaluation of the field, forward and backward. In brackets: PyTorch's")
    print("threads, one where that is faster. diffrax: NFE is 2 + 6 per attempted step; not known for the adjoint's way back.")
    if options.csv and rows:
        print("table:    " + os.path.relpath(options.csv))
    for worker in workers.values():
        worker.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
