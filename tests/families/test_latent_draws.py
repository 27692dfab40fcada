"""What latent families draw for those who measure them."""

import pytest
import torch

from paribus.data.augmentation import Augmentation
from paribus.densities import Bernoulli, Gaussian, StandardNormal
from paribus.families import Autoencoder, Vae
from paribus.networks import Linear
from paribus.noise import NoiseSpec
from paribus.objectives import Elbo, Reconstruction
from paribus.schedules import Constant


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def family(kind, numbers=3, features=2, **parts):
    given = {
        "likelihood": Gaussian(scale=1.0, learn_scale=False), "prior": StandardNormal(features),
        "encoder": Linear(numbers, kind.numbers_a_feature * features), "decoder": Linear(features, numbers),
        "optimizer": torch.optim.Adam, "scheduler": Constant(), "seed": 0,
        "objective": Reconstruction() if kind is Autoencoder
        else Elbo(beta=1.0, free_nats=0.0, ramp=0.0, cycles=1, samples=1),
    }  # fmt: skip
    return kind(**given | parts).eval()


@torch.no_grad()
def test_codes_drawn_of_a_posterior_have_its_mean_and_variance():
    vae = family(Vae)
    x = torch.randn(1, 3, generator=generator()).expand(20_000, 3)
    posterior, drawn = vae.posterior(x[:1]), vae.draw_code(x, generator(1))
    deviation = (posterior.log_variance / 2).exp()
    assert ((drawn.mean(0) - posterior.mean).abs() < 4 * deviation / 20_000**0.5).all()
    assert (drawn.std(0) / deviation - 1).abs().max() < 4 / 40_000**0.5
    assert torch.equal(drawn, vae.draw_code(x, generator(1)))


@torch.no_grad()
def test_the_code_of_an_autoencoder_is_what_it_is():
    plain, x = family(Autoencoder), torch.randn(7, 3, generator=generator())
    assert torch.equal(plain.draw_code(x, generator()), plain.code(x))


@torch.no_grad()
def test_examples_are_draws_where_numbers_are_binary_and_means_else():
    binary, real = family(Vae, likelihood=Bernoulli()), family(Vae)
    drawn = binary.draw_example(20_000, generator())
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    expected = binary.sample(20_000, generator())
    assert (drawn.mean(0) - expected.mean(0)).abs().max() < 4 * 0.5 / 20_000**0.5
    assert torch.equal(real.draw_example(50, generator()), real.sample(50, generator()))


@pytest.mark.parametrize("logit", [-100.0, 100.0])
def test_what_is_certain_is_drawn_always(logit):
    output = torch.full((1000,), logit)
    drawn = Bernoulli().example(output, torch.rand(1000, generator=generator()))
    assert drawn.unique().tolist() == [float(logit > 0)]


class Shifted(Augmentation):
    """Each example, moved by uniform noise."""

    def noise_spec(self):
        return {"shift": NoiseSpec((3,), "uniform")}

    def forward(self, x, noise):
        return x + noise["shift"]


def test_examples_as_trained_are_augmented_in_blocks(monkeypatch):
    x = torch.zeros(10, 3)
    assert family(Autoencoder).as_trained(x, generator()) is x
    augmented = family(Autoencoder, augmentation=Shifted())
    moved = augmented.as_trained(x, generator())
    assert 0 < moved.min() < moved.max() < 1
    monkeypatch.setattr("paribus.data.contract.ROWS_AT_ONCE", 4)
    assert torch.equal(augmented.as_trained(x, generator()), moved)
