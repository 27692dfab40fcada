"""What a GAN's training step costs: members of a population inside Lightning's Trainer against a plain PyTorch loop.

    taskset -c 0 python benchmarks/gan.py --width 64

CPU time a member and step, the median of several rounds; in each round both are timed, one after the other, on the same
core with one thread. The job: Gaussians on a ring, a latent of 8 numbers, MLPs with two hidden layers and ReLU, batch
64, Adam for both, the non-saturating objective, a step of each network a minibatch.
"""

import time

import torch
from step import compare
from torch import nn
from torch.nn.functional import softplus

from paribus.data import RingOfGaussians
from paribus.densities import StandardNormal
from paribus.families import Gan
from paribus.networks import Mlp
from paribus.objectives import NonSaturating
from paribus.population import Member
from paribus.schedules import Constant

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
    return Gan(prior, generator, discriminator, objective, adam, Constant(), (2,), seed, 1, None, 0)


def member(seed: int, width: int) -> Member:
    return Member(family(seed, width), data(seed))


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


if __name__ == "__main__":
    compare(plain_step, member, plain_steps=400, members=32, about=__doc__)
