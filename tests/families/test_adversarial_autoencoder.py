"""The adversarial autoencoder: what each phase moves, and that codes end on the modes of the prior."""

from copy import deepcopy

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from paribus.build import build_data, build_family, build_training
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.densities.discrepancy import gaussian_kernel, squared_mmd
from paribus.noise import draw
from paribus.objectives import NonSaturating
from paribus.training.curves import Curves

MOVES = {
    "reconstruction": {"encoder", "decoder", "likelihood"},
    "discriminator": {"discriminator"},
    "generator": {"encoder"},
}


def batch(points, n=16):
    return {name: rows[:n] for name, rows in points(binary=False).parts["train"].items()}


def noise_for(family, examples):
    return draw(family.noise_spec(), examples, torch.Generator().manual_seed(0))


def moved(before, after):
    """The parts of which a parameter has changed."""
    pairs = zip(before.named_parameters(), after.parameters(), strict=True)
    return {name.split(".")[0] for (name, old), new in pairs if not torch.equal(old, new)}


@pytest.mark.parametrize("phase", MOVES)
def test_a_phase_moves_its_parts_alone(adversarial, points, phase):
    family = adversarial()
    family.phases = tuple(each for each in family.phases if each.name == phase)
    assert set(family.phases[0].parts) == MOVES[phase]
    family.begin(10, 16, None)
    before = deepcopy(family)
    family.advance([batch(points)] * 3, family.configure_optimizers())
    assert moved(before, family) == MOVES[phase]


def test_phases_take_turns_with_optimizers_of_their_own(adversarial, points):
    """A step is the three by hand, each with its own Adam, in their order."""
    family, plain, rows = adversarial(), adversarial(), batch(points)
    family.begin(10, 16, None)
    plain.begin(10, 16, None)
    optimizers = family.configure_optimizers()
    assert len({id(optimizer) for optimizer in optimizers}) == 3
    family.advance([rows] * 4, optimizers)
    parameters = [[each for part in MOVES[name] for each in getattr(plain, part).parameters()] for name in MOVES]
    by_hand = [torch.optim.Adam(each, lr=0.01) for each in parameters]
    for step in range(4):
        noise = plain.noise.at(step, like=rows["x"])
        drawn = plain.prior.sample({"mode": noise["prior/mode"], "code": noise["prior/code"]})

        def reconstruction():
            return plain.likelihood.distortion(rows["x"].flatten(1), plain.decode(plain.code(rows["x"]))).mean()

        def discriminator(drawn=drawn):
            real, fake = plain.discriminator(drawn, {}), plain.discriminator(plain.code(rows["x"]), {})
            return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))

        def generator():
            fake = plain.discriminator(plain.code(rows["x"]), {})
            return bce(fake, torch.ones_like(fake))

        for loss, optimizer in zip((reconstruction, discriminator, generator), by_hand, strict=True):
            plain.zero_grad()
            loss().backward()
            optimizer.step()
    for (name, mine), theirs in zip(family.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6, msg=name)


def test_no_gradient_of_the_discriminators_loss_reaches_the_encoder(adversarial, points):
    family = adversarial()
    family.discriminator_loss(batch(points), noise_for(family, 16)).total.backward()
    assert all(parameter.grad is None for parameter in family.encoder.parameters())
    assert all(parameter.grad is not None for parameter in family.discriminator.parameters())


def test_samples_of_the_prior_are_the_real_ones(adversarial, points):
    """A discriminator that is trained alone has logits above 0 for the prior; the generator's turn raises codes'."""
    family, rows = adversarial(), batch(points)
    family.phases = family.phases[1:2]
    family.begin(300, 16, None)
    family.advance([rows] * 300, family.configure_optimizers())
    drawn, code = family.sample_prior(200, torch.Generator().manual_seed(1)), family.code(rows["x"])
    real, fake = family.discriminator(drawn, {}), family.discriminator(code, {})
    assert (real > 0).float().mean() > 0.9
    assert (fake < 0).float().mean() > 0.9
    raised = family.generator_loss(rows, noise_for(family, 16))
    expected = NonSaturating().generator(lambda: real, fake.squeeze(-1))
    torch.testing.assert_close(raised.total, expected.total)
    gradient = torch.autograd.grad(raised.total, list(family.encoder.parameters()))
    with torch.no_grad():
        for parameter, direction in zip(family.encoder.parameters(), gradient, strict=True):
            parameter -= 0.01 * direction
    assert family.discriminator(family.code(rows["x"]), {}).mean() > fake.mean()


def test_curves_name_each_phase(adversarial, points, fit, tmp_path):
    curves = Curves()
    fit(adversarial(), points(binary=False), tmp_path, curves, max_steps=20)
    assert {name for row in curves.rows.values() for name in row} == {
        "train/reconstruction", "train/distortion", "train/discriminator", "train/discriminator_real",
        "train/discriminator_fake", "train/discriminator_accuracy", "train/generator", "train/generator_fake",
        "val/loss", "val/distortion",
    }  # fmt: skip


RING = ("prior=ring", "prior.radius=2.0", "prior.scale=0.2", "optimizer.betas=[0.5,0.9]", "trainer.max_steps=1000")


def matched(family, tmp_path):
    """Of a family trained on digits: the share of held-out codes within 3 sigma of a mode, their squared MMD."""
    config = Composer(open_tree()).read([f"family={family}", *RING]).resolved
    data = build_data(config)
    data.setup()
    model = build_family(config, data)
    build_training(config).fit(model, data, tmp_path, Curves(), [], progress=False)
    with torch.no_grad():
        code = model.eval().code(data.parts["test"]["x"])
    within = torch.cdist(code, model.prior.centres(code)).min(dim=1).values <= 3 * model.prior.scale
    drawn = model.sample_prior(2000, torch.Generator().manual_seed(0))
    return within.float().mean().item(), squared_mmd(code, drawn, lambda squares: gaussian_kernel(squares, 1.0)).item()


@pytest.mark.slow
def test_codes_of_digits_end_on_ten_modes(tmp_path):
    """Most of them, of images that were not trained on; a plain autoencoder's do not, whose codes nothing matches."""
    share, distance = matched("aae", tmp_path / "aae")
    plain, far = matched("autoencoder", tmp_path / "plain")
    assert share >= 0.7
    assert plain <= 0.3
    assert distance <= 0.7 * far
