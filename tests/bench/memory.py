"""Peak resident memory of one training step on the MNIST field, Tide beside PyTorch + torchdiffeq.

Each measurement is a process of its own: it prepares model, data and optimiser, notes its resident memory, resets the kernel's record of
the peak (VmHWM), makes one step (forward, backward, Adam) and reads the peak. Both engines get the same weights and data.

A step that would not fit is not made. Memory is linear in the batch, so it is then extrapolated from the batches that were measured.
"""

import argparse
import os
import sys
import tempfile

sys.dont_write_bytecode = True  # no __pycache__ in the checkout
import peers  # noqa: E402

MIB = 1024  # in KiB, the unit of /proc
ENGINES = (("tide", "direct"), ("tide", "checkpoint"), ("tide", "adjoint"), ("torch", "direct"), ("torch", "adjoint"))
HEADROOM = 0.7  # share of the memory that is free now which a measurement may take


def available():
    """MiB that the kernel could give to a process now."""
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:")) / MIB


def worker(engine, options):
    threads = str(options.threads)
    environment = dict(os.environ, TIDE_THREADS=threads, OMP_NUM_THREADS=threads)
    environment.pop("PYTHONPATH", None)
    if engine == "tide":
        return peers.Worker("tide", [options.tide, os.path.join(peers.HERE, "worker.lua")], environment)
    return peers.Worker("torch", [sys.executable, os.path.join(peers.HERE, "peers.py"), "--worker", "torch"], environment)


def measure(engine, gradient, batch, options, folder, info):
    path = os.path.join(folder, f"{batch}.npz")
    process = worker(engine, options)
    try:
        info[engine] = process.ask("info")
        if engine == "tide":
            values = process.numbers("memory", gradient, batch, options.steps, path)
        else:
            values = process.numbers("memory", path, f"conv2d:cross_entropy:{gradient}:euler")
    finally:
        process.close()
    before, peak, seconds, loss = values
    return {"engine": engine, "gradient": gradient, "batch": batch, "how": "measured", "baseline": before / MIB, "peak": peak / MIB,
            "step": (peak - before) / MIB, "seconds": seconds, "loss": loss}


def line_through(rows):
    """(constant, per sample) of the memory of a step, by least squares."""
    n = len(rows)
    x, y = [r["batch"] for r in rows], [r["step"] for r in rows]
    mx, my = sum(x) / n, sum(y) / n
    spread = sum((a - mx) ** 2 for a in x)
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y)) / spread if spread else my / mx
    return my - slope * mx, slope


def extrapolated(rows, batch):
    constant, slope = line_through(rows)
    baseline = max(r["baseline"] for r in rows)
    step = constant + slope * batch
    return dict(rows[-1], batch=batch, how="extrapolated", baseline=baseline, peak=baseline + step, step=step, seconds=float("nan"),
                loss=float("nan"))


def write_csv(path, rows, info, options, load):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    part = path + ".part"
    processor, cores = peers.machine()
    with open(part, "w") as file:
        file.write(f"# command: sh tests/bench/memory.sh {' '.join(sys.argv[1:])}\n".replace(" \n", "\n"))
        file.write(f"# machine: {processor}, {cores} cores, {options.threads} threads each; load average before the start {load:.2f}\n")
        file.write(f"# environment: {peers.settings()}\n")
        for engine in sorted(info):
            file.write(f"# {info[engine]}\n")
        file.write(f"# one training step, MNIST field with 96 filters, Euler {options.steps} steps; a process for each row\n")
        file.write("# baseline_mib: resident before the step (libraries, data, weights); peak_mib: largest resident during it; step_mib: the "
                   "difference\n")
        file.write("# how: extrapolated = linear in the batch from the rows of smaller batches, because it would not have fitted\n")
        file.write("# ratio: step_mib / that of PyTorch with the direct gradient at the same batch\n")
        file.write("engine,gradient,batch,how,baseline_mib,peak_mib,step_mib,ratio,seconds,loss\n")
        for r in rows:
            numbers = (f"{r[k]:.6g}" for k in ("baseline", "peak", "step", "ratio", "seconds", "loss"))
            file.write(f"{r['engine']},{r['gradient']},{r['batch']},{r['how']}," + ",".join(numbers) + "\n")
    os.replace(part, path)


def print_rows(rows):
    print(f"  {'engine':8}{'gradient':12}{'batch':>6}{'baseline':>10}{'peak':>10}{'step':>10}   {'of PyTorch direct':18}{'seconds':>8}")
    for r in rows:
        print(f"  {r['engine']:8}{r['gradient']:12}{r['batch']:6d}{r['baseline']:10.0f}{r['peak']:10.0f}{r['step']:10.0f}   {r['ratio']:<18.3f}"
              f"{r['seconds']:8.2f}" + ("" if r["how"] == "measured" else "  (extrapolated)"))


def main():
    parser = argparse.ArgumentParser(prog="sh tests/bench/memory.sh", description=__doc__.split("\n")[0])
    parser.add_argument("--batches", default="16,32,64,256", help="samples, in rising order (default 16,32,64,256)")
    parser.add_argument("--steps", type=int, default=32, help="Euler steps (default 32)")
    parser.add_argument("--threads", type=int, default=0, help="threads of both engines (default: all cores)")
    parser.add_argument("--csv", default="", help="write the table to this file")
    parser.add_argument("--tide", default="./tide", help="the program to measure (default ./tide)")
    options = parser.parse_args()
    options.threads = options.threads or len(os.sched_getaffinity(0))
    batches = [int(b) for b in options.batches.split(",")]
    load, rows, info = os.getloadavg()[0], [], {}
    with tempfile.TemporaryDirectory() as folder:
        for batch in batches:
            for engine, gradient in ENGINES:
                peers.note(f"{engine}, {gradient}, batch {batch} ...", last=False)
                before = [r for r in rows if (r["engine"], r["gradient"]) == (engine, gradient) and r["how"] == "measured"]
                if before:
                    expected = extrapolated(before, batch)
                    if expected["peak"] > HEADROOM * available():
                        peers.note(f"{engine}, {gradient}, batch {batch}: about {expected['peak']:.0f} MiB would not fit into the "
                                   f"{available():.0f} MiB that are free; extrapolated")
                        rows.append(expected)
                        continue
                rows.append(measure(engine, gradient, batch, options, folder, info))
    peers.note("", last=False)
    for r in rows:
        reference = next(q for q in rows if (q["engine"], q["gradient"], q["batch"]) == ("torch", "direct", r["batch"]))
        r["ratio"] = r["step"] / reference["step"]
    for r in rows:
        losses = [q["loss"] for q in rows if q["batch"] == r["batch"] and q["how"] == "measured"]
        if r["how"] == "measured" and abs(r["loss"] - losses[0]) > 1e-3 * abs(losses[0]):
            peers.note(f"note: batch {r['batch']}: the loss of {r['engine']} ({r['gradient']}) is {r['loss']:.6g}, another's {losses[0]:.6g}")
    for engine in sorted(info):
        print("  " + info[engine])
    print(f"\nOne training step, MNIST field, 96 filters, Euler {options.steps} steps; MiB of resident memory")
    print_rows(rows)
    for engine, gradient in ENGINES:
        own = [r for r in rows if (r["engine"], r["gradient"]) == (engine, gradient) and r["how"] == "measured"]
        if len(own) < 2:
            continue
        constant, slope = line_through(own)
        if all(abs(constant + slope * r["batch"] - r["step"]) < 0.1 * r["step"] for r in own):  # budgets bend the line of Tide's direct gradient
            print(f"  {engine}, {gradient}: about {constant:.0f} MiB + {slope:.2f} MiB per sample")
    if options.csv:
        write_csv(options.csv, rows, info, options, load)
        print("table:    " + options.csv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
