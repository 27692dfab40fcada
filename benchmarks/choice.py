"""Whether the measured choice between one program and a loop ever costs time, and how often it falls on one program.

    taskset -c 0 python benchmarks/choice.py

CPU time of training K runs of one kind: as the launcher does it, its measurement included, against the loop that it
replaces (a few of the runs, scaled to K). A ratio above 1 is a gain, one below 1 a loss.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from step import data, training
from torch import nn

from paribus.families import Regression
from paribus.networks import Linear, Mlp
from paribus.objectives import Squared
from paribus.population import Member, Population
from paribus.population.choice import choose
from paribus.schedules import Constant
from paribus.training.curves import Curves

MEMBERS = (2, 4, 8, 32)
LOOPED = 4
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: Linear(in_features=1, out_features=1),
    "16": lambda: Mlp(hidden=[16], activation="relu", normalisation="none", dropout=0.0, in_features=1, out_features=1),
    "64-64": lambda: Mlp(
        hidden=[64, 64], activation="relu", normalisation="none", dropout=0.0, in_features=1, out_features=1
    ),
    "256-256": lambda: Mlp(
        hidden=[256, 256], activation="relu", normalisation="none", dropout=0.0, in_features=1, out_features=1
    ),
}
OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9),
    "adagrad": lambda parameters: torch.optim.Adagrad(parameters, lr=1e-2),
}


def members(network: str, optimizer: str, count: int) -> list[Member]:
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        family = Regression(NETWORKS[network](), Squared(), OPTIMIZERS[optimizer], Constant(), 1, seed, 0.0)
        made.append(Member(family, data(seed)))
    return made


def looped(runs: Sequence[Member], steps: int) -> float:
    """CPU seconds of training runs one after the other."""
    begin = time.process_time()
    for run in runs:
        with tempfile.TemporaryDirectory() as folder:
            training(steps).fit(run.family, run.data, Path(folder), Curves(), [], progress=False)
    return time.process_time() - begin


def chosen(runs: Sequence[Member], steps: int, alone: float) -> tuple[bool, float]:
    """Whether they were trained as one program, and the CPU seconds of choosing and training; `alone`: of one run."""
    begin = time.process_time()
    choice = choose(runs, training(steps))
    spent = time.process_time() - begin
    if not choice.together:
        return False, spent + alone * len(runs)
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        Population(runs, training(steps), choice.tile).fit(Path(folder))
    return True, spent + time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    looped(members("16", "adam", 1), 200)  # what is imported and set up at first is nobody's
    ratios, fused = [], 0
    for network in NETWORKS:
        for optimizer in OPTIMIZERS:
            alone = looped(members(network, optimizer, LOOPED), options.steps) / LOOPED
            for count in MEMBERS:
                together, spent = chosen(members(network, optimizer, count), options.steps, alone)
                ratios.append(alone * count / spent)
                fused += together
                line = {"network": network, "optimizer": optimizer, "runs": count, "one program": together}
                print(json.dumps(line | {"ratio": round(ratios[-1], 2)}), flush=True)
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    print(json.dumps({"kinds": len(ratios), "one program": fused, "geometric mean": mean, "least": min(ratios)}))


if __name__ == "__main__":
    main()
