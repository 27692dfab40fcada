"""What training came to: by hand on a game of one number, and in what it leaves as it was."""

import math

import pytest
import torch
from torch.func import functional_call, grad

from paribus.data import RingOfGaussians, ShiftedGaussian
from paribus.densities import StandardNormal
from paribus.evaluation import turns
from paribus.evaluation.turns import MEASURES, diagnostics, examples_seen, gradient_norm, told_apart
from paribus.families import Gan
from paribus.networks import Linear, Mlp
from paribus.networks.constraints import SpectralNorm
from paribus.noise import draw
from paribus.objectives import LeastSquares, NonSaturating, Wasserstein
from paribus.objectives.penalties import GradientPenalty
from paribus.schedules import Constant
from paribus.training import Training
from paribus.training.curves import Curves


def generator_of_seed(seed=0):
    return torch.Generator().manual_seed(seed)


def shifted(shift=1.0, n_train=40, n_test=400, batch_size=10):
    data = ShiftedGaussian(1, shift, 1.0, n_train, 0, n_test, batch_size, seed=0)
    data.setup()
    return data


def linear_gan(weight, offset, objective=None, **settings):
    """x = z, and the score is weight x + offset."""
    generator, discriminator = Linear(1, 1), Linear(1, 1)
    with torch.no_grad():
        generator.linear.weight.fill_(1.0)
        generator.linear.bias.fill_(0.0)
        discriminator.linear.weight.fill_(weight)
        discriminator.linear.bias.fill_(offset)
    return family_of(generator, discriminator, objective or NonSaturating(), 1, **settings)


def family_of(generator, discriminator, objective, numbers, critic_steps=1, averaging=None, **settings):
    return Gan(
        StandardNormal(numbers), generator, discriminator, objective, lambda p: torch.optim.SGD(p, lr=0.1), Constant(),
        (numbers,), 0, critic_steps=critic_steps, averaging=averaging, snapshots=0, **settings,
    ).eval()  # fmt: skip


def test_two_normals_are_told_apart_as_well_as_theory_says():
    """Of N(0, 1) and N(m, 1): Phi(m / 2) on either side of the middle, and Phi(m / sqrt 2) of all pairs in order."""
    with torch.no_grad():
        found = told_apart(linear_gan(2.0, -2.0), shifted(2.0, n_test=20_000).parts["test"]["x"])
    accuracy, auroc = (0.5 * (1 + math.erf(x / math.sqrt(2))) for x in (1.0, math.sqrt(2)))
    deviation = math.sqrt(accuracy * (1 - accuracy) / 40_000)
    assert found["discriminator_accuracy"] == pytest.approx(accuracy, abs=4 * deviation)
    # of the Mann-Whitney statistic at most sqrt(auroc (1 - auroc) / n)
    assert found["discriminator_auroc"] == pytest.approx(auroc, abs=4 * math.sqrt(auroc * (1 - auroc) / 20_000))


def test_accuracy_is_in_the_objectives_sense_and_of_all_rows(monkeypatch):
    """Scores of least squares are told by one half; the rows are taken in parts, a last one shorter."""
    family, x = linear_gan(0.0, 0.4, LeastSquares()), shifted(n_test=50).parts["test"]["x"]
    with torch.no_grad():
        assert told_apart(family, x) == {"discriminator_accuracy": 0.5, "discriminator_auroc": 0.5}
        whole = told_apart(linear_gan(1.0, -0.3), x)
        monkeypatch.setattr(turns, "rows_at_once", lambda rows: 7)
        assert told_apart(linear_gan(1.0, -0.3), x) == pytest.approx(whole)


def test_a_critics_scores_have_an_order_and_no_origin():
    x = shifted(2.0, n_test=500).parts["test"]["x"]
    with torch.no_grad():
        found = [told_apart(linear_gan(2.0, offset, Wasserstein()), x) for offset in (-2.0, 100.0)]
        logits = told_apart(linear_gan(2.0, -2.0), x)
    assert list(found[0]) == ["discriminator_auroc"]
    assert found[0] == pytest.approx(found[1], abs=1e-3)  # float32 rounds scores about 200 into ties
    assert found[0]["discriminator_auroc"] == logits["discriminator_auroc"] > 0.85


def test_the_gradient_of_a_critic_is_the_difference_of_means():
    """Wasserstein, score w x: d loss / d w is the mean of fakes less the mean of reals, and the offsets cancel."""
    data, family = shifted(3.0), linear_gan(0.5, 0.0, Wasserstein())
    with torch.no_grad():
        found = gradient_norm(family, family.phases[0], data, generator_of_seed())
    expected, generator = [], generator_of_seed()
    for _ in range(turns.MINIBATCHES):
        x = data.parts["train"]["x"][torch.randperm(40, generator=generator)[:10]]
        z = draw(family.noise_spec(), 10, generator)["discriminator/prior/code"]
        expected.append(abs((z.mean() - x.mean()).item()))
    assert found == pytest.approx(sum(expected) / len(expected), rel=1e-5)
    assert 2 < found < 4


def test_the_gradient_of_the_generator_by_another_way():
    """-w of the offset and -w mean(z) of the slope, from torch.func."""
    data, family = shifted(), linear_gan(0.7, 0.2, Wasserstein())
    with torch.no_grad():
        found = gradient_norm(family, family.phases[1], data, generator_of_seed(1))
    generator, norms, weights = generator_of_seed(1), [], dict(family.generator.named_parameters())
    for _ in range(turns.MINIBATCHES):
        torch.randperm(40, generator=generator)
        z = draw(family.noise_spec(), 10, generator)["generator/prior/code"]
        loss = lambda given, z=z: -family.score(functional_call(family.generator, given, (z,))).mean()  # noqa: E731
        norms.append(torch.cat([each.flatten() for each in grad(loss)(weights).values()]).norm().item())
    assert found == pytest.approx(sum(norms) / len(norms), rel=1e-5)


def test_a_penalty_counts_and_a_saturated_generator_has_no_gradient():
    data = shifted()
    with torch.no_grad():
        plain, penalised = (
            gradient_norm(family, family.phases[0], data, generator_of_seed())
            for family in (
                linear_gan(5.0, 0.0, Wasserstein()),
                linear_gan(5.0, 0.0, Wasserstein(), penalty=GradientPenalty(10.0, one_sided=False)),
            )
        )
        blind = linear_gan(0.0, 0.0)
        assert gradient_norm(blind, blind.phases[1], data, generator_of_seed()) == 0
    assert penalised == pytest.approx(2 * 10 * (5 - 1), abs=plain + 1)


def test_losses_are_those_of_training():
    """Batch statistics of the minibatch, not those that were followed, which are nowhere near here."""
    torch.manual_seed(0)
    family = family_of(Mlp(1, 1, [8], "relu", "batch", 0.0), Linear(1, 1), Wasserstein(), 1)
    data = shifted()
    with torch.no_grad():
        before = gradient_norm(family, family.phases[1], data, generator_of_seed())
        for name, buffer in family.named_buffers():
            if name.endswith("running_var"):
                buffer.fill_(1e6)
        assert gradient_norm(family, family.phases[1], data, generator_of_seed()) == before > 0


def test_nothing_is_changed_by_looking():
    """An average, power iterations and batch statistics move in training, and not here."""
    torch.manual_seed(0)
    generator = Mlp(2, 2, [8], "relu", "batch", 0.0)
    discriminator = Mlp(2, 1, [8], "relu", "none", 0.0)
    family = family_of(generator, discriminator, NonSaturating(), 2, averaging=0.9, constraint=SpectralNorm(1))
    data = RingOfGaussians(8, 2.0, 0.02, 60, 0, 30, 16, seed=0)
    data.setup()
    before = {name: each.clone() for name, each in family.state_dict().items()}
    with torch.no_grad():
        first, second = (diagnostics(family, data, generator_of_seed()) for _ in range(2))
    assert first == second
    assert all(torch.equal(before[name], each) for name, each in family.state_dict().items())
    assert all(parameter.grad is None for parameter in family.parameters())
    assert not any(module.training for module in family.modules())
    assert set(first) == {measure.name for measure in MEASURES}
    assert first["generator_gradient"] > 0


@pytest.mark.parametrize(("examples", "batch", "critic_steps"), [(50, 16, 3), (48, 16, 1), (5, 16, 4)])
def test_steps_and_examples_are_those_that_were_taken(tmp_path, examples, batch, critic_steps):
    """Counted by the losses that were asked for and the rows that they got."""
    data = shifted(n_train=examples, n_test=5, batch_size=batch)
    family = linear_gan(0.1, 0.0, critic_steps=critic_steps)
    counted = {"discriminator": 0, "generator": 0, "examples": 0}
    score = family.discriminator_loss, family.generator_loss

    def count(name, loss):
        def counting(minibatch, noise):
            counted[name] += 1
            counted["examples"] += len(minibatch["x"]) * (name == "discriminator")
            return loss(minibatch, noise)

        return counting

    family.phases = tuple(
        type(phase)(phase.name, count(phase.name, loss), phase.parts, phase.optimizer, phase.every, phase.limit)
        for phase, loss in zip(family.phases, score, strict=True)
    )
    Training(
        max_steps=11, max_epochs=None, max_minutes=None, validate_every=20, chunk_steps=8, clip_norm=None,
        devices=1, compile=False, accumulate=1, approximate=False, deterministic=False, detect_anomaly=False,
        accelerator="cpu", precision="32-true", threads=1, resume_seconds=math.inf, save_checkpoint=False,
        patience=None,
    ).fit(family, data, tmp_path, Curves(), [], progress=False)  # fmt: skip
    expected = dict(counted)
    with torch.no_grad():
        found = diagnostics(family.eval(), data, generator_of_seed())
    assert found["discriminator_steps"] == expected["discriminator"] == 11
    assert found["generator_steps"] == expected["generator"]
    assert found["examples_seen"] == expected["examples"] == examples_seen(family, data)


def test_a_step_of_several_passes_has_seen_them_all():
    """20 steps of 2 passes of 10 examples: 40 examples are 2 steps, so ten epochs."""
    data, family = shifted(), linear_gan(1.0, 0.0)
    family.begin(20, 2 * data.batch_size, None)
    family.step = 20
    assert examples_seen(family, data) == 400
