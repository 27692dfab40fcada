"""What a training step costs: members of a population inside Lightning's Trainer against a plain PyTorch loop.

    taskset -c 0 python benchmarks/step.py --width 64 --members 128

CPU time a member and step, the median of several rounds; in each round both are timed, one after the other, on the same
core with one thread. The job: an MLP 1-w-w-1 with ReLU, batch 64, Adam, squared loss.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from paribus.data import Contamination, Sine
from paribus.families import Regression
from paribus.networks import Mlp
from paribus.objectives import Squared
from paribus.population import Member, Population
from paribus.population.choice import choose
from paribus.schedules import Constant
from paribus.training import Training

BATCH = 64


def data(seed: int) -> Sine:
    clean = Contamination(fraction=0.0, size=0.0, sides="one", placement="random")
    made = Sine(
        n_train=2000, n_validation=200, n_test=10, noise=0.1, batch_size=BATCH, contamination=clean,
        input_scaling="none", target_scaling="none", seed=seed,
    )  # fmt: skip
    made.setup()
    return made


def family(seed: int, width: int) -> Regression:
    torch.manual_seed(seed)
    network = Mlp(
        hidden=[width, width], activation="relu", normalisation="none", dropout=0.0, in_features=1, out_features=1
    )
    return Regression(
        network, Squared(), lambda parameters: torch.optim.Adam(parameters, lr=1e-3), Constant(), 1, seed, 0.0
    )


def member(seed: int, width: int) -> Member:
    return Member(family(seed, width), data(seed))


def training(steps: int) -> Training:
    return Training(
        max_steps=steps, max_epochs=None, max_minutes=None, validate_every=200, chunk_steps=64, clip_norm=None,
        devices=1, compile=False, accumulate=1, approximate=False, deterministic=False, detect_anomaly=False,
        accelerator="cpu", precision="32-true", threads=1, resume_seconds=math.inf, save_checkpoint=False,
        patience=None,
    )  # fmt: skip


def population_step(build: Callable[[], list[Member]], steps: int) -> float:
    """Seconds of CPU a member and step of members built anew; start-up apart, by the difference of two lengths."""
    members = build()
    choice = choose(members, training(10**6))  # as the launcher does, for a training that is worth the trying
    if not choice.together:
        raise SystemExit(f"the launcher would train these one by one: {choice.why}")

    def fit(length: int) -> float:
        population = Population(build(), training(length), choice.tile)
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            population.fit(Path(folder))
        return time.process_time() - begin

    return (fit(steps + 64) - fit(64)) / steps / len(members)


def plain_step(width: int, steps: int) -> float:
    """Seconds of CPU a step of the loop that one writes by hand."""
    network = nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    part = data(0).parts["train"]
    inputs, targets = part["x"], part["y"]
    begin, done = time.process_time(), 0
    while done < steps:
        order = torch.randperm(len(inputs))
        for index in order.split(BATCH):
            loss = (network(inputs[index]).squeeze(-1) - targets[index]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
    return (time.process_time() - begin) / done


def compare(
    plain_step: Callable[[int, int], float],
    member: Callable[[int, int], Member],
    plain_steps: int,
    members: int,
    about: str | None,
) -> None:
    """Time both in turn, round after round, and print the ratios.

    plain_step: CPU seconds a step, of a width and a number of steps. member: of a seed and a width.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--members", type=int, default=members)
    parser.add_argument("--steps", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    plain_step(options.width, plain_steps // 4)
    ratios = []
    for _ in range(options.rounds):
        plain = plain_step(options.width, plain_steps)
        fused = population_step(lambda: [member(seed, options.width) for seed in range(options.members)], options.steps)
        ratios.append(plain / fused)
        print(json.dumps({"plain_us": plain * 1e6, "member_us": fused * 1e6, "ratio": plain / fused}), flush=True)
    print(
        json.dumps({**vars(options), "ratio": statistics.median(ratios), "least": min(ratios), "largest": max(ratios)})
    )


if __name__ == "__main__":
    compare(plain_step, member, plain_steps=1000, members=128, about=__doc__)
