"""GANs against loops written by hand: who moves when, what is paired between arms, and what a resumed run keeps."""

import math

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from paribus.build import check
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.data import RingOfGaussians
from paribus.densities import StandardNormal
from paribus.errors import UserError
from paribus.families import Gan
from paribus.job import Job, run_job
from paribus.networks import Mlp, SpectralNorm, WeightClipping
from paribus.networks.constraints import Normalised
from paribus.objectives import (
    R1,
    GradientPenalty,
    Hinge,
    Minimax,
    NonSaturating,
    RelativisticAverage,
    Wasserstein,
)
from paribus.schedules import Constant
from paribus.training import RESUME_FILE, Training
from paribus.training.curves import Curves


def training(**changes):
    settings = {
        "max_steps": 12, "max_epochs": None, "max_minutes": None, "validate_every": 5, "chunk_steps": 4,
        "devices": 1, "compile": False, "accumulate": 1, "approximate": False, "deterministic": False,
        "detect_anomaly": False,
        "clip_norm": None, "accelerator": "cpu", "precision": "64-true", "threads": 1, "resume_seconds": math.inf,
        "save_checkpoint": False, "patience": None,
    }  # fmt: skip
    return Training(**settings | changes)


def ring(seed=0, **changes):
    settings = {"modes": 8, "radius": 2.0, "scale": 0.05, "n_train": 60, "n_validation": 10, "n_test": 4}
    data = RingOfGaussians(**settings | changes, batch_size=16, seed=seed)
    data.setup()
    return data


def adam(parameters):
    return Adam(parameters, lr=0.01, betas=(0.5, 0.9))


def still(parameters):
    return SGD(parameters, lr=0.0)


def mlp(in_features, out_features, seed, normalisation="none", dropout=0.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Mlp(in_features, out_features, [8, 8], "tanh", normalisation, dropout)


def gan(
    seed=0, objective=None, optimizer=adam, critic_steps=1, averaging=None, dropout=0.0, cls=Gan, snapshots=0, **parts
):
    return cls(
        StandardNormal(4), mlp(4, 2, seed, dropout=dropout), mlp(2, 1, seed + 100, dropout=dropout),
        objective or NonSaturating(), optimizer, Constant(), (2,), seed, critic_steps, averaging, snapshots, **parts,
    )  # fmt: skip


def fit(family, folder, data=None, **settings):
    curves = Curves()
    training(**settings).fit(family, data or ring(), folder, curves, [], progress=False)
    return curves


def weights(module):
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def moved(before, module):
    return [name for name, parameter in module.named_parameters() if not torch.equal(before[name], parameter)]


def test_each_phase_moves_its_part_alone(tmp_path):
    critic_alone, generator_alone = (
        gan(optimizer=still, discriminator_optimizer=adam),
        gan(discriminator_optimizer=still),
    )
    for family, moving, resting in (
        (critic_alone, "discriminator", "generator"),
        (generator_alone, "generator", "discriminator"),
    ):
        family.double()
        before = {part: weights(getattr(family, part)) for part in (moving, resting)}
        fit(family, tmp_path)
        assert moved(before[resting], getattr(family, resting)) == []
        assert moved(before[moving], getattr(family, moving)) == list(before[moving])


def test_each_optimizer_has_its_own_time_scale():
    slow, fast = gan(discriminator_optimizer=still).configure_optimizers()[::-1]
    assert (type(slow), type(fast)) == (Adam, SGD)
    assert [group["lr"] for group in slow.param_groups + fast.param_groups] == [0.01, 0.0]
    both = gan().configure_optimizers()
    assert [type(each) for each in both] == [Adam, Adam]
    mine = {id(parameter) for group in both[0].param_groups for parameter in group["params"]}
    assert not mine & {id(parameter) for group in both[1].param_groups for parameter in group["params"]}


@pytest.mark.parametrize(("critic_steps", "generator_steps"), [(1, 7), (2, 4), (3, 3), (5, 2), (9, 1)])
def test_steps_are_minibatches_and_every_kind_is_counted(tmp_path, monkeypatch, critic_steps, generator_steps):
    """7 minibatches: 7 steps of the discriminator and ceil(7 / critic_steps) of the generator."""
    taken = {"discriminator": 0, "generator": 0}
    whole = Gan._take_step

    def counted(self, phase, *rest):
        taken[phase.name] += 1
        return whole(self, phase, *rest)

    monkeypatch.setattr(Gan, "_take_step", counted)
    family = gan(critic_steps=critic_steps)
    fit(family, tmp_path, max_steps=7)
    assert family.step == 7
    assert taken == {"discriminator": 7, "generator": generator_steps}


def penalty_by_hand(kind, discriminator, real, fake, between):
    """By `autograd.grad` with `create_graph`, as one writes it without `torch.func`."""
    at = (real if kind == "r1" else between[:, None] * real + (1 - between[:, None]) * fake).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(at).sum(), at, create_graph=True)
    norms = gradient.norm(dim=1)
    return 0.5 * norms.square().mean() if kind == "r1" else 10 * (norms - 1).square().mean()


@pytest.mark.parametrize("kind", ["none", "gp", "r1"])
def test_training_is_the_loop_one_writes_by_hand(tmp_path, kind):
    """A Wasserstein critic, two steps of it for each of the generator, and an average, for 12 minibatches."""
    penalty = {"none": None, "gp": GradientPenalty(10.0, False), "r1": R1(1.0)}[kind]
    family = gan(objective=Wasserstein(), penalty=penalty, critic_steps=2, averaging=0.8)
    generator, discriminator = mlp(4, 2, 0).double(), mlp(2, 1, 100).double()
    data = ring()
    of_generator, of_discriminator = adam(generator.parameters()), adam(discriminator.parameters())
    average = weights(generator)
    fit(family, tmp_path, data)
    loader = training().loader(data, lambda: 0)
    for step in range(12):
        real = data.parts["train"]["x"][loader.indices(step)]
        noise = family.noise.at(step, like=real)
        fake = generator(noise["discriminator/prior/code"]).detach()
        loss = discriminator(fake).mean() - discriminator(real).mean()
        if penalty:
            loss = loss + penalty_by_hand(kind, discriminator, real, fake, noise.get("penalty/between"))
        of_discriminator.zero_grad()
        loss.backward()
        of_discriminator.step()
        if step % 2 == 0:
            for name, parameter in generator.named_parameters():
                average[name] = 0.8 * average[name] + 0.2 * parameter.detach()
            loss = -discriminator(generator(noise["generator/prior/code"])).mean()
            of_generator.zero_grad()
            loss.backward()
            of_generator.step()
    for mine, theirs in ((family.generator, generator), (family.discriminator, discriminator)):
        for one, other in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
    for name, value in family.average.weights().items():
        torch.testing.assert_close(value, average[name], rtol=1e-9, atol=1e-11)


def test_both_turns_of_a_step_have_latents_of_their_own():
    family = gan()
    family.begin(10, 16, None)
    noise = family.noise.at(0, like=torch.zeros(16, 2))
    assert not torch.isclose(noise["discriminator/prior/code"], noise["generator/prior/code"]).any()


def test_latents_are_the_same_whatever_else_an_arm_needs():
    """A penalty's points, dropout, and another number of critic steps shift nobody's latents."""
    plain, like = gan(), torch.zeros(16, 2)
    arms = [
        gan(penalty=GradientPenalty(10.0, False)),
        gan(dropout=0.5),
        gan(objective=RelativisticAverage(), critic_steps=5, averaging=0.9, constraint=SpectralNorm(2)),
    ]
    for family in (plain, *arms):
        family.begin(200, 16, None)
    for step in (0, 1, 63, 64, 130):
        mine = plain.noise.at(step, like)
        for arm in arms:
            theirs = arm.noise.at(step, like)
            assert mine.keys() <= theirs.keys()
            assert all(torch.equal(value, theirs[name]) for name, value in mine.items())
    held_out = plain.held_out_noise(10)
    assert all(torch.equal(held_out[name], arm.held_out_noise(10)[name]) for arm in arms for name in held_out)


@pytest.fixture(scope="module")
def composer():
    return Composer(open_tree())


SMALL = (
    "family=gan", "data=ring_of_gaussians", "data.n_train=64", "data.n_validation=10", "data.n_test=10",
    "data.batch_size=16", "prior.features=4", "generator.hidden=[8]", "discriminator.hidden=[8]",
    "trainer.max_steps=12",
)  # fmt: skip


def job(composer, folder, *words):
    read = composer.read([*SMALL, f"output={folder}", *words])
    return Job.of(read.resolved, read.choices)


def test_arms_of_a_seed_are_paired(composer, tmp_path):
    """Equal data, order and initial weights whatever the objective, penalty or constraint; not across seeds."""
    arms = [
        (),
        ("objective=wasserstein", "penalty=gradient_penalty", "family.critic_steps=5"),
        ("objective=hinge", "constraint=spectral_norm"),
        ("objective=least_squares_gan", "constraint=weight_clipping"),
        ("objective=relativistic_average", "penalty=r1", "family.averaging=0.9"),
        ("optimizer@discriminator_optimizer=adam",),
    ]
    pairings = [run(job(composer, tmp_path, *arm)).pairing for arm in arms]
    assert {"init/generator", "init/discriminator", "order", "data", "split"} <= pairings[0].keys()
    assert all(pairing == pairings[0] for pairing in pairings)
    other = run(job(composer, tmp_path, "seed=1")).pairing
    assert all(other[name] != pairings[0][name] for name in ("init/generator", "init/discriminator", "order"))


def run(job):
    return run_job(job, progress=False, fence=lambda: None)


@pytest.mark.parametrize("words", [
    ("objective=wasserstein", "trainer.max_steps=400", "optimizer.lr=1e12"),
    ("objective=least_squares_gan", "optimizer=sgd", "optimizer.lr=1e6"),
    ("optimizer=sgd", "optimizer.lr=1e30", "penalty=gradient_penalty"),
])  # fmt: skip
def test_losses_that_are_not_finite_are_an_outcome(composer, tmp_path, words):
    record = run(job(composer, tmp_path, *words))
    assert record.status == "diverged", record.failure
    assert 0 <= record.failure.step < 400


@pytest.mark.parametrize("objective", ["minimax", "non_saturating", "hinge", "relativistic_average"])
def test_a_discriminator_that_wins_at_once_ends_in_numbers(composer, tmp_path, objective):
    """Real examples so far away that logits are in the thousands: the losses are large, or 0, and finite."""
    far = ("data.radius=1e4", "optimizer@discriminator_optimizer=adam", "discriminator_optimizer.lr=0.1")
    record = run(job(composer, tmp_path, f"objective={objective}", *far))
    assert record.status == "finished", record.failure


def test_a_penalty_meets_batch_normalisation(composer, tmp_path):
    words = [*SMALL, "penalty=r1", "discriminator.normalisation=batch"]
    with pytest.raises(UserError, match=r"a penalty.*discriminator.normalisation other than batch.*none or layer"):
        check(composer.read(words).resolved)
    check(composer.read([*SMALL, "penalty=r1", "discriminator.normalisation=layer"]).resolved)
    check(composer.read([*SMALL, "penalty=r1", "generator.normalisation=batch"]).resolved)


def test_a_minibatch_of_one_under_batch_normalisation(composer, tmp_path):
    for part in ("generator", "discriminator"):
        alone = job(composer, tmp_path, f"{part}.normalisation=batch", "data.n_train=65")
        with pytest.raises(UserError, match="needs more than one example in a minibatch"):
            run(alone)


@pytest.mark.parametrize("words", [("data=symmetric_digits", "data.test_fraction=0.1"), ("data=symmetric_shapes",)])
def test_a_minibatch_of_one_image_under_batch_normalisation(composer, tmp_path, words):
    """One image has a variance over its pixels, which is no minibatch's: refused alike."""
    read = composer.read(["family=dcgan", *words, "data.batch_size=1", "trainer.max_steps=2", f"output={tmp_path}"])
    with pytest.raises(UserError, match="needs more than one example in a minibatch"):
        run(Job.of(read.resolved, read.choices))


def test_examples_that_the_generator_cannot_reach_are_refused(composer, tmp_path):
    read = composer.read(["family=dcgan", "data=digits", f"output={tmp_path}"])
    with pytest.raises(UserError, match=r"numbers from -1 to 1, and the training part's go from .*symmetric"):
        run(Job.of(read.resolved, read.choices))


def test_spectral_normalisation_meets_batch_normalisation(composer):
    for words in (["family=dcgan"], [*SMALL, "discriminator.normalisation=batch"]):
        with pytest.raises(UserError, match=r"spectral normalisation bounds no slope.*normalisation none or layer"):
            check(composer.read([*words, "constraint=spectral_norm"]).resolved)
    check(composer.read(["family=dcgan", "discriminator=dcgan_unnormalised", "constraint=spectral_norm"]).resolved)


def test_published_hyper_parameters(composer):
    """Radford et al. (2016), section 4; Gulrajani et al. (2017), algorithm 1."""
    dcgan, wgan_gp = (composer.read([f"family={name}"]).resolved for name in ("dcgan", "wgan_gp"))
    assert (dcgan["optimizer"]["lr"], dcgan["optimizer"]["betas"]) == (2e-4, [0.5, 0.999])
    assert (wgan_gp["optimizer"]["lr"], wgan_gp["optimizer"]["betas"]) == (1e-4, [0.0, 0.9])
    assert (wgan_gp["family"]["critic_steps"], wgan_gp["penalty"]["weight"]) == (5, 10.0)
    assert (wgan_gp["penalty"]["one_sided"], wgan_gp["discriminator"]["normalisation"]) == (False, "none")
    assert wgan_gp["objective"]["_target_"].endswith("Wasserstein")


@pytest.mark.parametrize(("words", "message"), [
    (("family.critic_steps=0",), "critic_steps is 0, expected at least 1"),
    (("family.averaging=1.0",), "decay is 1.0, expected"),
    (("penalty=r1", "penalty.weight=-1"), "weight is -1"),
    (("constraint=weight_clipping", "constraint.limit=0"), "limit is 0"),
    (("constraint=spectral_norm", "constraint.warmup=0"), "warmup is 0"),
    (("objective=squared",), "AdversarialObjective"),
])  # fmt: skip
def test_what_is_out_of_range_is_refused_before_training(composer, words, message):
    with pytest.raises(UserError, match=message):
        check(composer.read([*SMALL, *words]).resolved)


@pytest.mark.parametrize("constraint", [SpectralNorm(3), WeightClipping(0.2)])
def test_a_resumed_run_ends_bit_for_bit(tmp_path, monkeypatch, constraint):
    """With all that it keeps: two optimizers, singular vectors, the average, and a phase that rests at some steps."""

    def make():
        return gan(
            objective=Hinge(), penalty=GradientPenalty(1.0, False), constraint=constraint, critic_steps=3, averaging=0.9
        )

    whole, settings = make(), {"max_steps": 20, "resume_seconds": 0.0}
    curves = fit(whole, tmp_path / "whole", **settings)
    (tmp_path / "cut").mkdir()
    loss = Gan.discriminator_loss

    def dying(self, batch, noise):
        if self.step == 13:
            raise RuntimeError("power cut")
        return loss(self, batch, noise)

    with monkeypatch.context() as patch:
        patch.setattr(Gan, "discriminator_loss", dying)
        with pytest.raises(RuntimeError, match="power cut"):
            fit(make(), tmp_path / "cut", **settings)
    assert (tmp_path / "cut" / RESUME_FILE).exists()
    resumed = make()
    again = fit(resumed, tmp_path / "cut", **settings)
    assert resumed.step == 20
    mine, theirs = resumed.state_dict(), whole.state_dict()
    assert mine.keys() == theirs.keys()
    assert any("average" in name for name in mine)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert again.rows == curves.rows


def test_clipped_weights_are_within_the_limit_after_each_step(tmp_path, monkeypatch):
    family, limit = gan(objective=Wasserstein(), constraint=WeightClipping(0.05)), 0.05
    largest = []
    whole = Gan._take_step

    def looked_at(self, phase, *rest):
        loss = whole(self, phase, *rest)
        if phase.name == "discriminator":
            largest.append(max(parameter.abs().max().item() for parameter in self.discriminator.parameters()))
        return loss

    monkeypatch.setattr(Gan, "_take_step", looked_at)
    fit(family, tmp_path)
    assert len(largest) == 12
    assert max(largest) <= limit
    assert max(parameter.abs().max().item() for parameter in family.generator.parameters()) > limit


def test_spectral_norms_follow_the_weights_through_training(tmp_path):
    """At a rate at which the largest singular value moves by more than half: by an SVD, within 2 % at the end."""
    family = gan(objective=Hinge(), optimizer=lambda parameters: Adam(parameters, lr=0.02), constraint=SpectralNorm(15))
    layers = [module for module in family.discriminator.modules() if isinstance(module, Normalised)]
    before = [torch.linalg.matrix_norm(layer.weight.detach(), 2).item() for layer in layers]
    fit(family, tmp_path, max_steps=60)
    after = [torch.linalg.matrix_norm(layer.weight.detach(), 2).item() for layer in layers]
    assert max(now / then for now, then in zip(after, before, strict=True)) > 1.5
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.normalised().detach(), 2).item() == pytest.approx(1.0, abs=0.02)


def test_samples_are_of_the_average(tmp_path):
    family = gan(averaging=0.5)
    fit(family, tmp_path, max_steps=6)
    other = mlp(4, 2, 0).double()
    other.load_state_dict(dict(family.average.weights()))
    latent = torch.randn(7, 4, dtype=torch.float64)
    assert torch.equal(family.decode(latent), other(latent))
    assert not torch.allclose(family.decode(latent), family.generator(latent))
    drawn = [family.sample(7, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert drawn[0].shape == (7, 2)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    plain = gan()
    assert torch.equal(plain.decode(latent.float()), plain.generator(latent.float()))


def test_held_out_examples_are_judged_without_the_penalty(tmp_path):
    """By hand: cross entropy of the held-out part, and of as many latents, which are the same at each validation."""
    family, data = gan(penalty=R1(100.0), constraint=SpectralNorm(2), objective=Minimax()), ring()
    curves = fit(family, tmp_path, data)
    held_out = family.held_out_noise(10)["noise/discriminator/prior/code"].double()
    family.eval()
    real = family.discriminator(data.parts["validation"]["x"])[:, 0]
    fake = family.discriminator(family.generator(held_out))[:, 0]
    expected = nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()
    last = curves.rows[max(curves.rows)]
    assert last["val/loss"] == pytest.approx(expected.item(), rel=1e-9)
    assert not any(name == "val/penalty" for name in last)
    assert "train/penalty" in last


def test_losses_after_training_leave_the_family_as_it_is():
    """What measures a trained GAN asks for its losses too: neither the average nor a singular vector moves."""
    family = gan(penalty=R1(1.0), constraint=SpectralNorm(1), averaging=0.5).double().eval()
    family.begin(10, 16, None)
    walked = {name: parameter + 1 for name, parameter in family.named_parameters()}
    family.load_state_dict(walked, strict=False)
    before = {name: tensor.clone() for name, tensor in family.state_dict().items()}
    batch = {"x": ring().parts["train"]["x"][:16].double()}
    for phase in family.phases:
        phase.loss(batch, family.noise.at(0, like=batch["x"]))
    assert all(torch.equal(before[name], tensor) for name, tensor in family.state_dict().items())


def test_no_gradient_of_the_discriminators_turn_reaches_the_generator():
    family = gan(penalty=GradientPenalty(1.0, False)).double()
    family.begin(10, 16, None)
    batch = {"x": ring().parts["train"]["x"][:16].double()}
    family.discriminator_loss(batch, family.noise.at(0, like=batch["x"])).total.backward()
    assert all(parameter.grad is None for parameter in family.generator.parameters())


def test_a_gan_learns_where_the_data_is(tmp_path):
    """One Gaussian at (2, 0): where a generator that started at the origin puts its samples."""
    data = ring(modes=1, scale=0.5, n_train=2000)
    family = gan(optimizer=lambda parameters: Adam(parameters, lr=0.003, betas=(0.5, 0.9)), averaging=0.99)
    fit(family, tmp_path, data, max_steps=600, validate_every=600, chunk_steps=64)
    mean = family.sample(2000, torch.Generator().manual_seed(0)).mean(dim=0)
    assert mean.tolist() == pytest.approx([2.0, 0.0], abs=0.4)
