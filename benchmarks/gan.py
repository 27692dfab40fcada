"""What a GAN's training step costs: members of a population inside Lightning's Trainer against a plain PyTorch loop.

    taskset -c 0 python benchmarks/gan.py --width 64

CPU time a member and step, the median of several rounds; in each round both are timed, one after the other, on the same
core with one thread. The job: Gaussians on a ring, a latent of 8 numbers, MLPs with two hidden layers and ReLU, batch
64, Adam for both, the non-saturating objective, a step of each network a minibatch.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import softplus

from paribus.data import RingOfGaussians
from paribus.densities import StandardNormal
from paribus.families import Gan
from paribus.networks import Mlp
from paribus.objectives import NonSaturating
from paribus.population import Member, Population
from paribus.population.choice import choose
from paribus.schedules import Constant
from paribus.training import Training

BATCH, LATENT, EXAMPLES = 64, 8, 2048


def data(seed: int) -> RingOfGaussians:
    made = RingOfGaussians(
        modes=8, radius=2.0, scale=0.02, n_train=EXAMPLES, n_validation=200, n_test=10, batch_size=BATCH, seed=seed
    )
    made.setup()
    return made


def adam(parameters) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=1e-3, betas=(0.5, 0.9))


def mlp(in_features: int, out_features: int, width: int) -> Mlp:
    return Mlp(in_features, out_features, [width, width], "relu", "none", 0.0)


def family(seed: int, width: int) -> Gan:
    torch.manual_seed(seed)
    generator, discriminator = mlp(LATENT, 2, width), mlp(2, 1, width)
    prior, objective = StandardNormal(LATENT), NonSaturating()
    return Gan(prior, generator, discriminator, objective, adam, Constant(), (2,), seed, 1, None)


def training(steps: int) -> Training:
    return Training(
        max_steps=steps, max_epochs=None, max_minutes=None, validate_every=200, chunk_steps=64, clip_norm=None,
        accelerator="cpu", precision="32-true", threads=1, resume_seconds=math.inf, save_checkpoint=False,
        patience=None,
    )  # fmt: skip


def population_step(width: int, members: int, steps: int) -> float:
    """Seconds of CPU a member and step; start-up apart, by the difference of two lengths."""

    def build() -> list[Member]:
        return [Member(family(seed, width), data(seed)) for seed in range(members)]

    choice = choose(build(), training(10**6))  # as the launcher does
    if not choice.together:
        raise SystemExit(f"the launcher would train these one by one: {choice.why}")

    def fit(length: int) -> float:
        population = Population(build(), training(length), choice.tile)
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            population.fit(Path(folder))
        return time.process_time() - begin

    return (fit(steps + 64) - fit(64)) / steps / members


def plain_network(in_features: int, out_features: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, out_features)
    )


def plain_step(width: int, steps: int) -> float:
    """Seconds of CPU a step of the loop that one writes by hand."""
    generator, discriminator = plain_network(LATENT, 2, width), plain_network(2, 1, width)
    of_generator, of_discriminator = adam(generator.parameters()), adam(discriminator.parameters())
    examples = data(0).parts["train"]["x"]
    begin, done = time.process_time(), 0
    while done < steps:
        order = torch.randperm(len(examples))
        for index in order.split(BATCH):
            real = examples[index]
            fake = generator(torch.randn(len(real), LATENT)).detach()
            loss = softplus(-discriminator(real)).mean() + softplus(discriminator(fake)).mean()
            of_discriminator.zero_grad()
            loss.backward()
            of_discriminator.step()
            loss = softplus(-discriminator(generator(torch.randn(len(real), LATENT)))).mean()
            of_generator.zero_grad()
            loss.backward()
            of_generator.step()
            done += 1
    return (time.process_time() - begin) / done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--members", type=int, default=32)
    parser.add_argument("--steps", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    plain_step(options.width, 100)
    ratios = []
    for _ in range(options.rounds):
        plain = plain_step(options.width, 400)
        fused = population_step(options.width, options.members, options.steps)
        ratios.append(plain / fused)
        print(json.dumps({"plain_us": plain * 1e6, "member_us": fused * 1e6, "ratio": plain / fused}), flush=True)
    print(
        json.dumps({**vars(options), "ratio": statistics.median(ratios), "least": min(ratios), "largest": max(ratios)})
    )


if __name__ == "__main__":
    main()
