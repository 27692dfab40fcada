"""InfoGAN's bound on the mutual information, against what is known of two Gaussians, and whom its gradient reaches."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn
from torch.nn.functional import cross_entropy, logsigmoid
from torch.optim import SGD, Adam

from paribus.build import build_family, check
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.data import RingOfGaussians
from paribus.densities import LatentCode, StandardNormal
from paribus.errors import UserError
from paribus.families import InfoGan
from paribus.networks import Linear, Mlp, Network
from paribus.objectives import GradientPenalty, NonSaturating, Wasserstein
from paribus.schedules import Constant
from paribus.trained import prepared_data
from paribus.training import Training
from paribus.training.curves import Curves


def training(**changes):
    settings = {
        "max_steps": 200, "max_epochs": None, "max_minutes": None, "validate_every": 200, "chunk_steps": 64,
        "devices": 1, "compile": False, "accumulate": 1, "approximate": False, "deterministic": False,
        "detect_anomaly": False,
        "clip_norm": None, "accelerator": "cpu", "precision": "64-true", "threads": 1, "resume_seconds": math.inf,
        "save_checkpoint": False, "patience": None,
    }  # fmt: skip
    return Training(**settings | changes)


def ring(seed=0, **changes):
    settings = {"modes": 8, "radius": 2.0, "scale": 0.05, "n_train": 60, "n_validation": 10, "n_test": 4}
    data = RingOfGaussians(**settings | {"batch_size": 16} | changes, seed=seed)
    data.setup()
    return data


def mlp(in_features, out_features, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Mlp(in_features, out_features, [8], "tanh", "none", 0.0)


def infogan(code, information=1.0, objective=None, **parts):
    generator, discriminator = mlp(3 + code.features, 2), mlp(2, 1 + code.parameters_of_q, seed=1)
    return InfoGan(
        StandardNormal(3), code, generator, discriminator, objective or NonSaturating(),
        lambda parameters: Adam(parameters, lr=0.01), Constant(), (2,), 0, 1, None, 0, information, **parts,
    )  # fmt: skip


class Shifted(Network):
    """x = z + c m, twice over, with c = -1 or 1 from a category of two; nothing that could be learned changes it."""

    def __init__(self, shift):
        super().__init__()
        self.shift, self.idle = shift, nn.Parameter(torch.zeros(()))

    def forward(self, latent, noise=None):
        x = latent[:, :1] + self.shift * (latent[:, 1:2] - latent[:, 2:3]) + 0 * self.idle
        return torch.cat([x, torch.zeros_like(x)], dim=1)


def bound_of(slope, intercept, shift):
    """log 2 + E log q(c | x) of q(1 | x) = sigmoid(slope x + intercept)."""

    def integrand(x):
        logit = torch.tensor(slope * x + intercept, dtype=torch.float64)
        right, left = stats.norm.pdf(x, shift), stats.norm.pdf(x, -shift)
        return (right * logsigmoid(logit).item() + left * logsigmoid(-logit).item()) / 2

    return math.log(2) + integrate.quad(integrand, -10 - shift, 10 + shift, limit=200)[0]


@pytest.mark.parametrize(("shift", "information"), [(0.5, 0.1114), (1.0, 0.3368), (2.0, 0.6327)])
def test_the_bound_becomes_the_mutual_information(tmp_path, shift, information):
    """I(c; x) of x = c m + noise: a logistic q reaches it, no q exceeds it, and no minibatch exceeds log 2."""

    def mixture(x):
        density = (stats.norm.pdf(x, shift) + stats.norm.pdf(x, -shift)) / 2
        return -density * np.log(density)

    exact = integrate.quad(mixture, -9 - shift, 9 + shift, limit=200)[0] - stats.norm.entropy()
    assert exact == pytest.approx(information, abs=6e-5)
    assert bound_of(2 * shift, 0.0, shift) == pytest.approx(exact, abs=1e-7)
    family = InfoGan(
        StandardNormal(1), LatentCode(2, 0), Shifted(shift), Linear(2, 3), NonSaturating(),
        lambda parameters: SGD(parameters, lr=0.0), lambda step, total: 1 - step / total, (2,), 0, 1, None, 0, 1.0,
        discriminator_optimizer=lambda parameters: Adam(parameters, lr=0.1),
    )  # fmt: skip
    seen = []
    completed = family.completed

    def noted(*inputs):
        loss = completed(*inputs)
        seen.append(loss.terms["information"].item())
        return loss

    family.completed = noted
    training().fit(family, ring(n_train=1024, batch_size=512), tmp_path, Curves(), [], progress=False)
    layer = family.discriminator.linear
    slope = (layer.weight[1, 0] - layer.weight[2, 0]).item()
    intercept = (layer.bias[1] - layer.bias[2]).item()
    found = bound_of(slope, intercept, shift)
    assert found == pytest.approx(information, abs=0.002)
    assert found <= exact + 1e-9
    assert max(seen) <= math.log(2)
    late = np.mean(seen[-200:])
    assert late == pytest.approx(information, abs=5 * math.log(2) / math.sqrt(200 * 512))


def losses(family):
    family.double().begin(10, 16, None)
    batch = {"x": ring().parts["train"]["x"][:16].double()}
    return batch, family.noise.at(0, like=batch["x"])


def test_both_turns_are_completed_by_the_bound():
    """By hand: H(c) less the cross entropy of q, weighted, off the objective, in nats; in either turn by its codes."""
    code = LatentCode(3, 0)
    family = infogan(code, information=0.7)
    batch, noise = losses(family)
    for turn, loss in (("discriminator", family.discriminator_loss), ("generator", family.generator_loss)):
        found = loss(batch, noise)
        label = (noise[f"{turn}/code/category"] * 3).long()
        latent = torch.cat([noise[f"{turn}/prior/code"], torch.eye(3, dtype=torch.float64)[label]], dim=1)
        output = family.discriminator(family.generator(latent))
        bound = math.log(3) - cross_entropy(output[:, 1:], label)
        torch.testing.assert_close(found.terms["information"], bound)
        objective = [value for name, value in found.terms.items() if name.startswith(turn) and "accuracy" not in name]
        torch.testing.assert_close(found.total, sum(objective) - 0.7 * bound)


def test_the_bounds_gradient_reaches_q_and_the_generator():
    """Each in its turn: what the loss gains by the weight of the bound is the bound's own gradient."""
    code = LatentCode(2, 1)
    with_bound, without = infogan(code, 1.0), infogan(code, 0.0)
    for turn, part in (("discriminator_loss", "discriminator"), ("generator_loss", "generator")):
        gradients = []
        for family in (with_bound, without):
            batch, noise = losses(family)
            loss = getattr(family, turn)(batch, noise)
            parameters = list(getattr(family, part).parameters())
            gradients.append((torch.autograd.grad(loss.total, parameters, retain_graph=True), loss, parameters))
        (whole, loss, parameters), (plain, _, _) = gradients
        own = torch.autograd.grad(loss.terms["information"], parameters)
        for one, other, bound in zip(whole, plain, own, strict=True):
            torch.testing.assert_close(one, other - bound)
            assert bound.abs().max() > 0
    batch, noise = losses(with_bound)
    loss = with_bound.discriminator_loss(batch, noise).total
    unused = torch.autograd.grad(loss, list(with_bound.generator.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in unused)  # the generator's share comes in its own turn


def test_the_score_is_the_first_number_and_the_penalty_is_of_it_alone():
    family = infogan(LatentCode(4, 0), objective=Wasserstein(), penalty=GradientPenalty(10.0, False))
    batch, noise = losses(family)
    before = family.discriminator_loss(batch, noise).terms
    with torch.no_grad():
        family.discriminator.output.weight[1:].mul_(7)
    after = family.discriminator_loss(batch, noise).terms
    assert before["penalty"].item() == after["penalty"].item()
    assert before["discriminator_real"].item() == after["discriminator_real"].item()
    assert before["information"].item() != after["information"].item()


def test_latents_are_a_gans_and_codes_are_each_turns_own():
    family = infogan(LatentCode(3, 2))
    _, noise = losses(family)
    assert not torch.equal(noise["discriminator/code/category"], noise["generator/code/category"])
    assert not torch.equal(noise["discriminator/code/continuous"], noise["generator/code/continuous"])
    samples = [family.sample(6, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert samples[0].shape == (6, 2)
    assert torch.equal(samples[0], samples[1])
    assert not torch.equal(samples[0], samples[2])


@pytest.mark.parametrize("code", ["categorical", "categorical_and_continuous"])
def test_the_config_builds_parts_that_fit(code):
    words = [
        "family=infogan",
        f"code={code}",
        "data=ring_of_gaussians",
        "evaluation=modes",
        "data.n_train=64",
        "prior.features=5",
    ]
    config = Composer(open_tree()).read(words).resolved
    check(config)
    family = build_family(config, prepared_data(config))
    features, q = (10, 10) if code == "categorical" else (12, 14)
    assert family.generator.hidden[0][0].in_features == 5 + features
    assert family.generator.output.out_features == 2
    assert family.discriminator.output.out_features == 1 + q


@pytest.mark.parametrize(("word", "message"), [
    ("family.information=-1", "information is -1"),
    ("code.categories=1", "categories is 1, expected 0 or at least 2"),
])  # fmt: skip
def test_what_is_out_of_range_is_refused(word, message):
    with pytest.raises(UserError, match=message):
        check(
            Composer(open_tree()).read(["family=infogan", "evaluation=modes", "data=ring_of_gaussians", word]).resolved
        )
