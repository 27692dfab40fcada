"""Evaluators of classifiers on Gaussian classes, where a linear network can have a multiple of the true logits."""

import pytest
import torch
from torch import nn

from paribus.calibrators import MatrixScaling, Temperature, Uncalibrated, VectorScaling
from paribus.data import GaussianClasses, LabelNoise
from paribus.errors import UserError
from paribus.evaluation import Calibrated, ClassificationMetrics
from paribus.families import Classification
from paribus.networks import Linear
from paribus.objectives import CrossEntropy
from paribus.schedules import Constant

NESTED = {"none": Uncalibrated(), "temperature": Temperature(), "vector": VectorScaling(), "matrix": MatrixScaling()}


def gaussian(n_validation=4000, noise=0.0, **changes):
    settings = {"n_train": 300, "n_test": 8000, "classes": 5, "dimensions": 8, "separation": 1.5, "problem_seed": 0}
    data = GaussianClasses(
        **settings | changes, n_validation=n_validation, batch_size=100, input_scaling="none",
        label_noise=LabelNoise(fraction=noise, kind="symmetric"), seed=0,
    )  # fmt: skip
    data.setup()
    return data


def optimal(data, sharpened):
    """log p(class | x) is affine in x for Gaussian classes of unit covariance: these weights are the posterior's."""
    network = Linear(data.in_features, data.out_features)
    means = torch.from_numpy(data.means).float()
    with torch.no_grad():
        network.linear.weight.copy_(sharpened * means)
        network.linear.bias.copy_(-sharpened * means.square().sum(1) / 2)
    return Classification(network, CrossEntropy(), lambda p: torch.optim.SGD(p, lr=0.1), Constant(), 0).eval()


def rows(evaluator, family, data):
    with torch.no_grad():
        return {row.levels.get("calibrator"): row.metrics for row in evaluator(family, data)}


def test_the_posterior_itself_is_as_good_as_can_be():
    data = gaussian()
    (measured,) = rows(ClassificationMetrics(bins=15), optimal(data, 1.0), data).values()
    assert measured["kl_from_bayes"] == pytest.approx(0, abs=1e-8)
    assert measured["overconfidence"] == pytest.approx(0, abs=1e-6)
    assert measured["accuracy"] == measured["bayes_accuracy"]
    assert measured["nll"] == pytest.approx(measured["bayes_nll"], abs=1e-6)
    assert measured["ece"] < 2 * measured["ece_floor"]


@pytest.mark.parametrize("sharpened", [0.4, 3.0])
def test_a_temperature_undoes_what_sharpened_the_posterior(sharpened):
    data = gaussian()
    found = rows(Calibrated(15, NESTED), optimal(data, sharpened), data)
    off, mended = found["none"], found["temperature"]
    assert off["ece"] > 5 * off["ece_floor"]
    assert mended["ece"] < 0.25 * off["ece"]
    assert mended["ece"] < 2 * mended["ece_floor"]
    assert mended["accuracy"] == off["accuracy"]
    assert mended["kl_from_bayes"] < 0.01 * off["kl_from_bayes"]
    assert (off["overconfidence"] > 0.05) == (sharpened > 1)


def test_richer_calibrators_fit_the_validation_part_no_worse():
    data = gaussian(n_validation=200)
    found = rows(Calibrated(15, NESTED), optimal(data, 2.0), data)
    fitted = [found[name]["validation_nll"] for name in NESTED]
    assert fitted == sorted(fitted, reverse=True)
    assert found["matrix"]["nll"] > found["temperature"]["nll"]  # and yet 30 numbers over-fit 200 examples


def test_every_metric_is_declared_and_every_level_offered():
    data = gaussian(n_validation=100, n_test=100)
    for evaluator in (ClassificationMetrics(15), Calibrated(15, NESTED)):
        found = rows(evaluator, optimal(data, 1.0), data)
        declared = {measure.name for measure in evaluator.measures}
        assert all(set(metrics) <= declared for metrics in found.values())
        assert list(found) == list(evaluator.within.get("calibrator", [None]))


def test_training_is_judged_with_its_noise_and_testing_without():
    data = gaussian(noise=0.4, separation=6.0)
    (measured,) = rows(ClassificationMetrics(15), optimal(data, 1.0), data).values()
    assert measured["train_accuracy"] == pytest.approx(0.6, abs=0.02)
    assert measured["accuracy"] > 0.95
    family, part = optimal(data, 1.0), data.parts["train"]
    expected = nn.functional.cross_entropy(family.predict(part["x"]), part["y"])
    assert measured["train_nll"] == pytest.approx(expected.item(), rel=1e-5)


def test_drawings_count_every_example_once():
    data = gaussian(n_validation=100, n_test=500)
    with torch.no_grad():
        drawn = Calibrated(10, NESTED).drawing(optimal(data, 2.0), data)
    assert drawn["kind"] == "reliability"
    assert list(drawn["levels"]) == list(NESTED)
    for level in drawn["levels"].values():
        assert sum(count for _, _, count, _, _ in level["bins"]) == 500
        assert all(low <= confidence <= high for low, high, _, confidence, _ in level["bins"])
        ece = sum(count * abs(right - sure) for _, _, count, sure, right in level["bins"]) / 500
        assert level["ece"] == pytest.approx(ece, rel=1e-9)


def test_calibrators_need_a_validation_part():
    data = gaussian(n_validation=0, n_test=100)
    with pytest.raises(UserError, match="validation part"):
        Calibrated(15, NESTED).accept(data)
    with pytest.raises(ValueError, match="calibrators is empty"):
        Calibrated(15, {})
    with pytest.raises(ValueError, match="bins is 0"):
        ClassificationMetrics(0)
