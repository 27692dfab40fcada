"""Families with a code: their losses by hand, what noise reaches which part, and what they refuse."""

import math

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal, kl_divergence

from paribus.build import build_data, build_family
from paribus.cli import main
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.data.augmentation import Augmentation
from paribus.densities import Gaussian, GaussianMixture, StandardNormal
from paribus.errors import UserError
from paribus.families import Vae
from paribus.noise import NoiseSpec, draw, noise_of
from paribus.objectives import BetaTcVae, Elbo, Iwae, Reconstruction
from paribus.training.curves import Curves

GAUSSIAN = {"likelihood": Gaussian(1.0, learn_scale=False)}


def elbo(**changes):
    return Elbo(**{"beta": 1.0, "free_nats": 0.0, "ramp": 0.0, "cycles": 1, "samples": 1} | changes)


def batch(points, binary=True, n=7):
    return {name: rows[:n] for name, rows in points(binary=binary).parts["train"].items()}


def noise_for(family, examples, seed=0):
    return draw(family.noise_spec(), examples, torch.Generator().manual_seed(seed))


class Flip(Augmentation):
    """Turns each number of an example over where its noise says so."""

    def noise_spec(self):
        return {"turn": NoiseSpec((2, 3), "uniform")}

    def forward(self, x, noise):
        return torch.where(noise["turn"] < 0.5, 1 - x, x)


def test_the_loss_of_a_vae_by_hand(vae, points):
    family, rows = vae(elbo(beta=3.0)), batch(points)
    noise = noise_for(family, 7)
    x = rows["x"].flatten(1)
    mean, log_variance = family.encoder(rows["x"], {}).split(2, dim=1)
    code = mean + (log_variance / 2).exp() * noise["code"][:, 0]
    distortion = -TorchBernoulli(logits=family.decoder(code, {})).log_prob(x).sum() / 7
    rate = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum() / 7
    loss = family.loss(rows, noise)
    torch.testing.assert_close(loss.total, distortion + 3 * rate)
    torch.testing.assert_close(loss.terms["elbo"], -distortion - rate)
    torch.testing.assert_close(family.code(rows["x"]), mean)
    assert family.reconstruct(rows["x"]).shape == rows["x"].shape
    torch.testing.assert_close(family.reconstruct(rows["x"]).flatten(1), family.decoder(mean, {}).sigmoid())


@pytest.mark.parametrize("prior", [StandardNormal(2), GaussianMixture(2, 5, 2.0, 0.3)])
def test_weights_of_samples_are_what_iwae_averages(vae, points, prior):
    """`log_weights`, by normalised densities, of the same samples: the bound is the log of their mean."""
    family, rows = vae(Iwae(samples=4), prior=prior), batch(points)
    noise = noise_for(family, 7)
    weights = family.log_weights(rows["x"], noise["code"])
    assert weights.shape == (4, 7)
    expected = (torch.logsumexp(weights, dim=0) - math.log(4)).mean()
    torch.testing.assert_close(family.loss(rows, noise).terms["bound"], expected)


@pytest.mark.parametrize("objective", [
    elbo(beta=4.0, ramp=1.0), elbo(free_nats=0.2, samples=3), Iwae(samples=3),
    BetaTcVae(alpha=1.0, beta=4.0, gamma=1.0, examples=50),
])  # fmt: skip
def test_training_and_validation_weigh_terms_alike(vae, points, objective):
    """The same examples, noise and step give the same loss, to the last bit and term by term."""
    family, rows = vae(objective), batch(points)
    family.step, family.total_steps = 30, 90
    noise = noise_for(family, 7)
    trained = family.loss(rows, noise)
    held_out = family.eval().validation_loss({**rows, "noise/code": noise["code"]})
    assert trained.total.item() == held_out.total.item()
    assert {name: value.item() for name, value in trained.terms.items()} == {
        name: value.item() for name, value in held_out.terms.items()
    }


def test_codes_are_weighed_alike_too(autoencoder, points):
    family, rows = autoencoder(), batch(points, binary=False)
    noise = noise_for(family, 7)
    held_out = {**rows, **{f"noise/{name}": each for name, each in noise.items()}}
    assert family.loss(rows, noise).total.item() == family.validation_loss(held_out).total.item()


@pytest.mark.parametrize("validate_every", [5, 30])
def test_curves_show_held_out_terms_as_the_objective_weighs_them(vae, points, fit, tmp_path, validate_every):
    """val/loss is val/distortion + weight val/rate at every validation, with the weight of the step it stands at."""
    curves = Curves()
    fit(vae(elbo(beta=4.0, ramp=1.0)), points(), tmp_path, curves, max_steps=30, validate_every=validate_every)
    shown = {step: row for step, row in curves.rows.items() if "val/loss" in row}
    assert list(shown) == list(range(validate_every, 31, validate_every))
    for step, row in shown.items():
        assert row["val/weight"] == pytest.approx(4 * step / 30, rel=1e-5)
        total = row["val/distortion"] + row["val/weight"] * row["val/rate"]
        assert row["val/loss"] == pytest.approx(total, rel=1e-5)
        assert row["val/elbo"] == pytest.approx(-row["val/distortion"] - row["val/rate"], rel=1e-5)


def test_held_out_noise_is_the_seeds_alone(vae):
    mine, same, other = (vae(samples, seed) for samples, seed in ((elbo(), 3), (elbo(beta=9.0), 3), (elbo(), 4)))
    first = mine.held_out_noise(20)
    assert first.keys() == {"noise/code"}
    assert first["noise/code"].shape == (20, 1, 2)
    assert torch.equal(first["noise/code"], same.held_out_noise(20)["noise/code"])
    assert not torch.equal(first["noise/code"], other.held_out_noise(20)["noise/code"])
    mine.begin(10, 20, None)
    trained = mine.noise.at(0, like=first["noise/code"])["code"]
    assert trained.shape == first["noise/code"].shape
    assert not torch.isin(first["noise/code"], trained).any()  # another stream, not a part of this one


@pytest.mark.parametrize("samples", [1, 3])
def test_each_part_gets_its_own_noise_and_each_sample_too(vae, points, samples):
    """Hidden units of the decoder are dropped anew for each sample of a code."""
    family = vae(Iwae(samples=samples), dropout=0.5, augmentation=Flip())
    assert {name: spec.shape for name, spec in family.noise_spec().items()} == {
        "encoder/dropout_1": (8,),
        "decoder/dropout_1": (samples, 8),
        "augmentation/turn": (2, 3),
        "code": (samples, 2),
    }
    rows, noise = batch(points), noise_for(family, 7)
    x = family.augmentation(rows["x"], noise_of("augmentation", noise))
    mean, log_variance = family.encoder(x, noise_of("encoder", noise)).split(2, dim=1)
    distortion = 0.0
    for sample in range(samples):
        code = mean + (log_variance / 2).exp() * noise["code"][:, sample]
        logits = family.decoder(code, {"dropout_1": noise["decoder/dropout_1"][:, sample]})
        distortion -= TorchBernoulli(logits=logits).log_prob(x.flatten(1)).sum().item() / (7 * samples)
    assert family.loss(rows, noise).terms["distortion"].item() == pytest.approx(distortion, rel=1e-5)


def test_without_noise_nothing_is_dropped_or_augmented(vae, points):
    bare, dropping = vae(elbo(), augmentation=None), vae(elbo(), dropout=0.5, augmentation=Flip())
    rows = batch(points)
    given = {**rows, **dropping.held_out_noise(7)}
    dropping.load_state_dict(bare.state_dict())
    assert dropping.validation_loss(given).total.item() == bare.validation_loss(given).total.item()


def test_the_plain_autoencoder_by_hand(autoencoder, points):
    family, rows = autoencoder(Reconstruction()), batch(points, binary=False)
    x = rows["x"].flatten(1)
    output = family.decoder(family.encoder(x, {}), {})
    expected = -Normal(output, 1.0).log_prob(x).sum() / 7
    torch.testing.assert_close(family.loss(rows, noise_for(family, 7)).total, expected)


def test_the_wasserstein_autoencoder_is_matched_to_samples_of_its_prior(autoencoder, points):
    family, rows = autoencoder(), batch(points, binary=False)
    noise = noise_for(family, 7)
    assert noise.keys() == {"prior/mode", "prior/code"}
    loss = family.loss(rows, noise)
    drawn = family.prior.sample({"mode": noise["prior/mode"], "code": noise["prior/code"]})
    distortion = -Normal(family.decode(family.code(rows["x"])), 1.0).log_prob(rows["x"].flatten(1)).sum(dim=1)
    expected = family.objective(distortion, family.code(rows["x"]), drawn)
    torch.testing.assert_close(loss.total, expected.total)
    torch.testing.assert_close(loss.terms["squared_mmd"], expected.terms["squared_mmd"])


def test_samples_come_from_the_prior_through_the_decoder(vae):
    family = vae()
    generator = torch.Generator().manual_seed(5)
    code = family.sample_prior(4, generator)
    assert torch.equal(code, torch.randn(4, 2, generator=torch.Generator().manual_seed(5)))
    torch.testing.assert_close(family.sample(4, torch.Generator().manual_seed(5)), family.decoder(code, {}).sigmoid())


class Crashing(Vae):
    """Dies at step 50, as a killed process would: nothing is written after."""

    def loss(self, batch, noise):
        if self.step == 50:
            raise RuntimeError("power cut")
        return super().loss(batch, noise)


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_a_resumed_run_ends_as_an_uninterrupted_one(vae, points, fit, tmp_path, precision):
    """Bit for bit, samples of the posterior, dropped units, annealing and a learned scale included."""

    def make(cls=Vae):
        objective = elbo(ramp=0.5, cycles=2, samples=2)
        return vae(objective, cls=cls, dropout=0.2, likelihood=Gaussian(1.0, learn_scale=True))

    (tmp_path / "cut").mkdir()
    settings = {"precision": precision, "resume_seconds": 0.0}
    whole, whole_curves, curves = make(), Curves(), Curves()
    fit(whole, points(), tmp_path / "whole", whole_curves, precision=precision)
    with pytest.raises(RuntimeError, match="power cut"):
        fit(make(Crashing), points(), tmp_path / "cut", Curves(), **settings)
    assert (tmp_path / "cut" / "resume.ckpt").exists()
    resumed = make()
    fit(resumed, points(), tmp_path / "cut", curves, **settings)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert curves.rows == whole_curves.rows
    assert whole.likelihood.log_scale.item() != 0


def test_numbers_stay_as_typed_wherever_training_happens(vae, points, fit, tmp_path):
    """Of objective, likelihood and prior: 0.1 in float64, while parameters are in float32."""
    family = vae(elbo(beta=0.1), likelihood=Gaussian(0.1, learn_scale=False), prior=GaussianMixture(2, 3, 0.1, 0.1))
    fit(family, points(), tmp_path, Curves(), max_steps=2)
    assert {parameter.dtype for parameter in family.parameters()} == {torch.float32}
    numbers = (family.objective.beta, family.likelihood.scale, family.prior.radius, family.prior.scale)
    assert [number.item() for number in numbers] == [0.1] * 4
    assert not set(family.state_dict()) & {"objective.beta", "likelihood.scale", "prior.scale"}


@pytest.mark.parametrize("name", ["vae", "autoencoder", "adversarial"])
def test_terms_are_as_precise_as_the_data_under_autocast(request, points, name):
    """Networks compute in bfloat16, whose numbers have 8 bits; a weight of 0.1 stays 0.1 to float32's 24."""
    family = request.getfixturevalue(name)()
    if name == "vae":
        family.objective = elbo(beta=0.1)
    rows = batch(points, binary=name == "vae")
    noise = noise_for(family, 7)
    for phase in family.phases:
        exact = phase.loss(rows, noise)
        with torch.autocast("cpu", torch.bfloat16):
            assert family.encoder(rows["x"], {}).dtype == torch.bfloat16
            loss = phase.loss(rows, noise)
        assert {value.dtype for value in (loss.total, *loss.terms.values())} == {torch.float32}
        torch.testing.assert_close(loss.total, exact.total, rtol=0.02, atol=0.02)
        if name == "vae":
            assert loss.terms["weight"].item() == torch.tensor(0.1).item()
            total = loss.terms["distortion"] + loss.terms["weight"] * loss.terms["rate"]
            torch.testing.assert_close(loss.total, total, rtol=1e-6, atol=0)


def test_a_minibatch_of_one_is_refused(autoencoder, points, fit, tmp_path):
    """50 examples leave 1 after 7 minibatches of 7."""
    with pytest.raises(UserError, match=r"at least 2 examples in each minibatch.*data\.batch_size"):
        fit(autoencoder(), points(binary=False, batch_size=7), tmp_path, Curves())
    fit(autoencoder(Reconstruction()), points(binary=False, batch_size=7), tmp_path, Curves(), max_steps=10)


def test_data_outside_the_support_is_refused(vae, points):
    """As it is held out, too, and as it is augmented."""
    vae().accept(points())
    vae(**GAUSSIAN).accept(points(binary=False))
    with pytest.raises(UserError, match=r"likelihood=bernoulli is of numbers that are 0 or 1, and the train part has"):
        vae().accept(points(binary=False))
    held_out = points()
    held_out.parts["test"]["x"][3, 1, 2] = 0.25
    with pytest.raises(UserError, match=r"and the test part has 0\.25"):
        vae().accept(held_out)

    class Grey(Flip):
        def forward(self, x, noise):
            return x * noise["turn"]

    with pytest.raises(UserError, match="and the train part has 0"):
        vae(augmentation=Grey()).accept(points())


def built(*words):
    config = Composer(open_tree()).read(list(words)).resolved
    data = build_data(config)
    data.setup()
    return build_family(config, data), data


@pytest.mark.parametrize(("words", "encoder", "decoder"), [
    (["family=vae", "prior.features=5"], (64, 10), (5, 64)),
    (["family=autoencoder", "prior.features=5"], (64, 5), (5, 64)),
    (["family=wae", "prior=swiss_roll"], (64, 2), (2, 64)),
    (["family=aae", "prior=uniform", "prior.features=3"], (64, 3), (3, 64)),
])  # fmt: skip
def test_parts_are_told_their_role(words, encoder, decoder):
    family, data = built("encoder=linear", "decoder=linear", *words)
    for part, shape in (("encoder", encoder), ("decoder", decoder)):
        linear = getattr(family, part).linear
        assert (linear.in_features, linear.out_features) == shape
    assert family.reconstruct(data.parts["test"]["x"][:3]).shape == (3, 1, 8, 8)
    if "family=aae" in words:
        assert family.discriminator(torch.zeros(4, 3), {}).shape == (4, 1)


def test_grey_images_under_bernoulli_are_one_message_and_exit_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "family=vae", "data=digits", "trainer.max_steps=2"]) == 2
    told = capsys.readouterr().err.strip()
    assert "likelihood=bernoulli is of numbers that are 0 or 1" in told
    assert "data.input_scaling=binary" in told
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1
