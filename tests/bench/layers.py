"""Training steps (forward, backward, Adam) of recurrent layers and of a ResNet beside PyTorch's, one thread
each: `sh tests/bench/peers.sh --layers [works]`. The two take turns; what counts is the least CPU time of a step, so
that a busy machine disturbs little. Rows: work, ms of Tide, ms of PyTorch, how many times less."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS = 1.0  # of CPU time in each turn
TURNS = 5


class Block(nn.Module):
    """The basic block of nn.conv_resnet."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Identity()
        if stride != 1 or c_in != c_out:
            self.shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def step_of(model, loss):
    adam = torch.optim.Adam(model.parameters())

    def step():
        adam.zero_grad()
        value = loss(model)
        value.backward()
        adam.step()
        return value.item()

    return step


def recurrent(kind):
    model = nn.ModuleDict({"sequence": kind(32, 32), "out": nn.Linear(32, 1)})
    x, y = torch.randn(50, 64, 32), torch.randn(64, 1)
    return step_of(model, lambda m: F.mse_loss(m["out"](m["sequence"](x)[0][-1]), y))


def resnet():
    model = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), Block(16, 16, 1),
                          Block(16, 32, 2), Block(32, 64, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                          nn.Linear(64, 10))
    x, y = torch.rand(64, 1, 28, 28), torch.arange(64) % 10
    return step_of(model, lambda m: F.cross_entropy(m(x), y))


WORKS = {"gru": lambda: recurrent(nn.GRU), "lstm": lambda: recurrent(nn.LSTM), "rnn": lambda: recurrent(nn.RNN),
         "resnet": resnet}


def least(step):
    best, begin = float("inf"), time.process_time()
    while time.process_time() - begin < SECONDS:
        before = time.process_time()
        step()
        best = min(best, time.process_time() - before)
    return best


def main():
    torch.set_num_threads(1)
    environment = dict(os.environ, TIDE_THREADS="1")
    tide = subprocess.Popen([os.path.join(ROOT, "tide"), os.path.join(ROOT, "tests/bench/layers.lua")],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    print("work,tide_ms,torch_ms,times_less")
    for name, make in WORKS.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        step, ours, theirs = make(), float("inf"), float("inf")
        for _ in range(3):
            step()
        for _ in range(TURNS):
            tide.stdin.write(f"{name} {SECONDS}\n")
            tide.stdin.flush()
            ours = min(ours, float(tide.stdout.readline()))
            theirs = min(theirs, least(step))
        print(f"{name},{ours * 1e3:.4g},{theirs * 1e3:.4g},{theirs / ours:.3g}", flush=True)
    tide.stdin.close()
    tide.wait()


if __name__ == "__main__":
    sys.exit(main())
