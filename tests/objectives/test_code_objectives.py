"""What autoencoders minimise besides distortion, by hand; and the cross entropy of a discriminator."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from paribus.errors import UserError
from paribus.objectives import NonSaturating, Reconstruction, WassersteinMmd

MULTIPLES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def batch(n=6, features=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    code, prior_code = torch.randn(2, n, features, dtype=torch.float64, generator=generator)
    return torch.rand(n, dtype=torch.float64, generator=generator) * 9, 2 * code + 1, prior_code


def by_hand(code, prior_code, spread):
    """Algorithm 2 of Tolstikhin et al. (2018) as it is written, of their code's seven kernels."""
    n, features = code.shape
    base = 2 * features * spread**2

    def kernel(a, b):
        return sum(base * multiple / (base * multiple + np.sum((a - b) ** 2)) for multiple in MULTIPLES)

    pairs = [(i, j) for i in range(n) for j in range(n)]
    within = sum(kernel(code[i], code[j]) + kernel(prior_code[i], prior_code[j]) for i, j in pairs if i != j)
    return within / (n * (n - 1)) - 2 / n**2 * sum(kernel(prior_code[i], code[j]) for i, j in pairs)


def test_the_plain_autoencoders_loss_is_the_mean_distortion():
    distortion, code, prior_code = batch()
    loss = Reconstruction()(distortion, code.requires_grad_(), prior_code)
    assert loss.total.item() == pytest.approx(distortion.mean().item(), rel=1e-14)
    assert loss.terms.keys() == {"distortion"}


@pytest.mark.parametrize(("weight", "spread"), [(100.0, 1.0), (3.0, 0.5), (0.0, 1.0)])
@pytest.mark.parametrize(("n", "features"), [(6, 2), (2, 5)])
def test_the_wasserstein_autoencoder_by_hand(weight, spread, n, features):
    distortion, code, prior_code = batch(n, features)
    loss = WassersteinMmd(weight, spread)(distortion, code, prior_code)
    expected = by_hand(code.numpy(), prior_code.numpy(), spread)
    assert loss.terms["squared_mmd"].item() == pytest.approx(expected, rel=1e-12)
    assert loss.terms["distortion"].item() == pytest.approx(distortion.mean().item(), rel=1e-14)
    assert loss.total.item() == pytest.approx(distortion.mean().item() + weight * expected, rel=1e-12)


def test_moving_codes_towards_the_prior_lowers_the_distance():
    distortion, code, prior_code = batch(64)
    objective = WassersteinMmd(10.0, 1.0)
    start = objective(distortion, code, prior_code).terms["squared_mmd"].item()
    code.requires_grad_()
    for _ in range(200):
        (gradient,) = torch.autograd.grad(objective(distortion, code, prior_code).total, code)
        code = (code - 0.5 * gradient).detach().requires_grad_()
    assert objective(distortion, code, prior_code).terms["squared_mmd"].item() < 0.05 * start


def test_the_same_law_has_a_distance_of_0_at_any_size_of_batch():
    """On average, within 5 standard errors: unbiased, so nothing depends on the size of the batch."""
    generator = torch.Generator().manual_seed(0)
    for n in (2, 5, 20):
        code, prior_code = torch.randn(2, 4000, n, 2, dtype=torch.float64, generator=generator)
        term = torch.func.vmap(lambda a, b: WassersteinMmd(1.0, 1.0)(a[:, 0] * 0, a, b).terms["squared_mmd"])
        found = term(code, prior_code)
        assert abs(found.mean()) < 5 * found.std() / math.sqrt(4000)


def test_a_minibatch_of_one_is_refused():
    distortion, code, prior_code = batch(1)
    with pytest.raises(UserError, match=r"at least 2 examples in each minibatch.*data\.batch_size"):
        WassersteinMmd(1.0, 1.0)(distortion, code, prior_code)


LOGITS = torch.tensor([-30.0, -3.0, -0.5, 0.0, 2.0, 40.0], dtype=torch.float64)


def test_an_adversarial_autoencoders_turns_are_torchs_cross_entropies():
    """Samples of the prior are to be told as 1 and codes as 0; the encoder wants them told as 1."""
    real, fake = LOGITS, LOGITS.flip(0) / 3 + 0.1
    loss = NonSaturating().discriminator(real, fake)
    of_real = binary_cross_entropy_with_logits(real, torch.ones_like(real))
    of_fake = binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    torch.testing.assert_close(loss.total, of_real + of_fake, rtol=1e-12, atol=0)
    turned = NonSaturating().generator(lambda: real, fake)
    torch.testing.assert_close(
        turned.total, binary_cross_entropy_with_logits(fake, torch.ones_like(fake)), rtol=1e-12, atol=0
    )
