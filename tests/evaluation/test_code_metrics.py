"""Codes that are known: of an encoder that is the identity, and of posteriors that are the prior."""

import json

import pytest
import torch

from paribus.data import BreastCancer, Digits, GaussianClasses, LabelNoise
from paribus.data.augmentation import Augmentation
from paribus.densities import Gaussian, GaussianMixture, StandardNormal
from paribus.evaluation import CodeMetrics, SampleQuality
from paribus.families import Autoencoder, Vae
from paribus.networks import Linear
from paribus.noise import NoiseSpec
from paribus.objectives import Elbo, Reconstruction
from paribus.schedules import Constant


def gaussian_classes(noise=0.0, n_test=500, separation=3.0, **changes):
    data = GaussianClasses(
        n_train=400, n_validation=100, n_test=n_test, classes=4, dimensions=2, separation=separation, problem_seed=1,
        batch_size=50, label_noise=LabelNoise(fraction=noise, kind="symmetric"), input_scaling="none",
        **{"seed": 0} | changes,
    )  # fmt: skip
    data.setup()
    return data


def identity(features=2, prior=None, shift=0.0, **parts):
    """An autoencoder whose codes are its examples; reconstructions are shifted."""
    given = {
        "likelihood": Gaussian(scale=1.0, learn_scale=False), "prior": prior or StandardNormal(features),
        "encoder": Linear(features, features), "decoder": Linear(features, features), "objective": Reconstruction(),
        "optimizer": torch.optim.Adam, "scheduler": Constant(), "seed": 0,
    }  # fmt: skip
    family = Autoencoder(**given | parts)
    with torch.no_grad():
        for network, bias in ((family.encoder, 0.0), (family.decoder, shift)):
            network.linear.weight.copy_(torch.eye(features))
            network.linear.bias.fill_(bias)
    return family.eval()


def constant_posterior(log_variance, features=2, prior=None):
    """A variational autoencoder that tells nothing of its examples: q(z | x) = N(0, exp(log_variance))."""
    family = Vae(
        likelihood=Gaussian(scale=1.0, learn_scale=False), prior=prior or StandardNormal(features),
        encoder=Linear(features, 2 * features), decoder=Linear(features, features),
        objective=Elbo(beta=1.0, free_nats=0.0, ramp=0.0, cycles=1, samples=1),
        optimizer=torch.optim.Adam, scheduler=Constant(), seed=0,
    )  # fmt: skip
    with torch.no_grad():
        family.encoder.linear.weight.zero_()
        family.encoder.linear.bias.copy_(torch.tensor([0.0] * features + [log_variance] * features))
    return family.eval()


def measured(family, data, evaluator=None):
    evaluator = evaluator or CodeMetrics(neighbours=5, pictures=0, sample_quality=None)
    with torch.no_grad():
        (row,) = evaluator(family, data)
    return row.metrics


def test_the_error_of_a_reconstruction_is_that_of_a_number():
    data = gaussian_classes()
    assert measured(identity(shift=0.5), data)["reconstruction_rmse"] == pytest.approx(0.5, rel=1e-6)
    assert measured(identity(), data)["reconstruction_rmse"] == 0


def test_probes_of_the_examples_themselves_are_nearly_right_and_of_nothing_at_chance():
    data = gaussian_classes()
    told, nothing = measured(identity(), data), measured(constant_posterior(0.0), data)
    truth = data.log_posterior(data.raw.inputs[data.rows["test"]]).argmax(1) == data.parts["test"]["y"]
    best = truth.double().mean().item()
    assert abs(told["probe_accuracy"] - best) < 0.02
    assert abs(told["knn_accuracy"] - best) < 0.05
    assert nothing["probe_accuracy"] < 0.35


def test_probes_are_fitted_on_the_labels_as_they_were_found():
    assert measured(identity(), gaussian_classes(noise=0.9)) == measured(identity(), gaussian_classes())


def test_draws_of_the_posteriors_are_held_against_the_prior():
    """q(z | x) = p(z) for each x matches the prior together, too; its means do not."""
    data = gaussian_classes()
    assert abs(measured(constant_posterior(0.0), data)["code_mmd"]) < 0.01
    assert measured(constant_posterior(-20.0), data)["code_mmd"] > 0.1
    ring = GaussianMixture(features=2, modes=4, radius=4.0, scale=0.5)
    narrow, wide = (measured(constant_posterior(each, prior=ring), data) for each in (-20.0, 2.4))
    assert narrow["codes_in_modes"] == narrow["modes_covered"] == 0
    assert wide["codes_in_modes"] > 0.1
    assert wide["modes_covered"] == 4
    assert "codes_in_modes" not in measured(constant_posterior(0.0), data)


def test_what_is_measured_is_a_function_of_the_seed():
    family = constant_posterior(0.0)
    torch.manual_seed(1)
    first = measured(family, gaussian_classes())
    torch.manual_seed(2)
    assert measured(family, gaussian_classes()) == first
    assert measured(family, gaussian_classes(seed=1))["code_mmd"] != first["code_mmd"]


class Mirrored(Augmentation):
    """Every example turned about the origin."""

    def noise_spec(self):
        return {"nothing": NoiseSpec(())}

    def forward(self, x, noise):
        return -x


def test_probes_are_fitted_on_the_training_part_as_it_was_seen():
    data = gaussian_classes()
    plain, mirrored = measured(identity(), data), measured(identity(augmentation=Mirrored()), data)
    assert mirrored["probe_accuracy"] < 0.5 < plain["probe_accuracy"]
    assert mirrored["reconstruction_rmse"] == plain["reconstruction_rmse"]


def test_a_part_in_blocks_is_measured_as_a_whole(monkeypatch):
    data, family = gaussian_classes(), identity(shift=0.5)
    whole = measured(family, data)
    monkeypatch.setattr("paribus.data.contract.ROWS_AT_ONCE", 64)
    assert measured(family, data) == pytest.approx(whole)


def test_one_test_example_has_no_distance_from_the_prior():
    found = measured(identity(), gaussian_classes(n_test=1))
    assert "code_mmd" not in found
    assert found["reconstruction_rmse"] == 0


def test_codes_of_any_size_and_what_is_not_finite():
    family, data = identity(), gaussian_classes()
    with torch.no_grad():
        family.encoder.linear.weight.mul_(1e20)
        family.decoder.linear.weight.mul_(1e-20)
    found = measured(family, data)
    assert found["probe_accuracy"] == measured(identity(), data)["probe_accuracy"]
    assert all(torch.tensor(each).isfinite() for each in found.values())
    with torch.no_grad():
        family.encoder.linear.weight.fill_(torch.inf)
    evaluator = CodeMetrics(neighbours=5, pictures=4, sample_quality=None)
    assert torch.tensor(measured(family, data)["probe_accuracy"]).isnan()
    with torch.no_grad():
        json.dumps(evaluator.drawing(family, data), allow_nan=False)


def test_data_without_labels_has_no_probes(examples):
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    found = measured(identity(), examples(x[:20], x[20:]))
    assert set(found) == {"reconstruction_rmse", "code_mmd"}


def test_every_metric_is_declared(tmp_path, monkeypatch):
    monkeypatch.setenv("PARIBUS_CACHE", str(tmp_path))
    plain = CodeMetrics(neighbours=5, pictures=0, sample_quality=None)
    more = CodeMetrics(neighbours=5, pictures=0, sample_quality=SampleQuality(samples=100))
    assert {metric.name for metric in more.measures} > {metric.name for metric in plain.measures}
    ring = GaussianMixture(features=2, modes=4, radius=4.0, scale=0.5)
    for evaluator in (plain, more):
        found = measured(identity(prior=ring), gaussian_classes(), evaluator)
        assert set(found) == {metric.name for metric in evaluator.measures}


@pytest.mark.parametrize(("argument", "value"), [("neighbours", 0), ("pictures", -1)])
def test_arguments_out_of_range_are_refused(argument, value):
    with pytest.raises(ValueError, match=f"{argument} is {value}, expected at least"):
        CodeMetrics(**{"neighbours": 5, "pictures": 0, "sample_quality": None} | {argument: value})


@pytest.mark.parametrize("kind", [Digits, BreastCancer])
def test_digits_and_tables(kind):
    data = kind(test_fraction=0.2, validation_fraction=0.2, batch_size=32, input_scaling="standard", seed=0,
                label_noise=LabelNoise(fraction=0.0, kind="symmetric"))  # fmt: skip
    data.setup()
    family = identity(data.in_features)
    found = measured(family, data)
    assert found["reconstruction_rmse"] == 0
    assert found["probe_accuracy"] > 0.93
    assert found["knn_accuracy"] > 0.93
