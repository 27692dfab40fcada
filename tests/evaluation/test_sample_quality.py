"""Samples of known quality: examples of the same classes, such with noise, and of one class alone."""

import pytest
import torch

from paribus.data import Digits, GaussianClasses, LabelNoise
from paribus.errors import UserError
from paribus.evaluation import SampleQuality, yardsticks
from paribus.evaluation.extent import extent_of
from paribus.evaluation.yardsticks import CACHE, yardstick_of
from paribus.metrics import frechet_distance, kernel_distance


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder for the yardsticks of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("kept")))
        patch.setattr(yardsticks, "_known", {})
        yield


def gaussian_classes(n_test=400, n_validation=500):
    data = GaussianClasses(
        n_train=600, n_validation=n_validation, n_test=n_test, classes=4, dimensions=6, separation=4.0, problem_seed=1,
        batch_size=50, label_noise=LabelNoise(fraction=0.0, kind="symmetric"), input_scaling="standard", seed=0,
    )  # fmt: skip
    data.setup()
    return data


def resampled(data, noise=0.0, wanted=None):
    """Draws of the training part."""
    rows = data.parts["train"]
    x = rows["x"] if wanted is None else rows["x"][rows["y"] == wanted]

    def draw(n, generator):
        chosen = x[torch.randint(len(x), (n,), generator=generator)]
        return chosen + noise * torch.randn(chosen.shape, generator=generator)

    return draw


def test_distances_grow_with_the_noise_from_the_floor_on(kept):
    data, quality = gaussian_classes(), SampleQuality(samples=1000)
    found = [quality(resampled(data, noise), data) for noise in (0.0, 1.0, 3.0)]
    for name in ("sample_frechet", "sample_kernel_distance"):
        distances = [each[name] for each in found]
        assert distances == sorted(distances)
        assert distances[2] > 5 * abs(distances[0])
    assert found[0]["sample_frechet"] < 2 * found[0]["sample_frechet_floor"]
    assert abs(found[0]["sample_kernel_distance"]) < 0.05
    assert {each["sample_frechet_floor"] for each in found} == {found[0]["sample_frechet_floor"]}
    assert found[0]["sample_count"] == 400
    assert 0.9 < found[0]["yardstick_accuracy"] <= 1


def test_one_class_alone_is_far(kept):
    data, quality = gaussian_classes(), SampleQuality(samples=1000)
    one = quality(resampled(data, wanted=0), data)
    assert one["sample_frechet"] > 20 * one["sample_frechet_floor"]


def test_they_are_the_distances_of_as_many_features(kept):
    """With as many as there are, the test and the validation part are taken whole, in any order."""
    data = gaussian_classes(n_test=200, n_validation=200)
    yardstick, extent = yardstick_of(data), extent_of(data)
    test, validation, drawn = (
        yardstick.features(extent.share(x))
        for x in (data.parts["test"]["x"], data.parts["validation"]["x"], data.parts["train"]["x"][:200])
    )
    found = SampleQuality(samples=200)(lambda n, _: data.parts["train"]["x"][:n].flatten(), data)
    assert found == pytest.approx({
        "sample_frechet": frechet_distance(drawn, test).item(),
        "sample_frechet_floor": frechet_distance(validation, test).item(),
        "sample_frechet_ratio": (frechet_distance(drawn, test) / frechet_distance(validation, test)).item(),
        "sample_kernel_distance": kernel_distance(drawn, test).item(),
        "sample_kernel_distance_floor": kernel_distance(validation, test).item(),
        "sample_count": 200.0,
        "yardstick_accuracy": yardstick.accuracy.item(),
    }, rel=1e-4, abs=1e-7)  # fmt: skip


def test_fewer_are_taken_where_fewer_are_asked_for_and_in_blocks(kept, monkeypatch):
    data = gaussian_classes()
    asked = []

    def draw(n, generator):
        asked.append(n)
        return torch.randn(n, 6, generator=generator)

    assert SampleQuality(samples=70)(draw, data)["sample_count"] == 70
    monkeypatch.setattr("paribus.data.contract.ROWS_AT_ONCE", 32)
    SampleQuality(samples=70)(draw, data)
    assert asked == [70, 32, 32, 6]


def test_it_is_a_function_of_the_seed(kept):
    data, quality = gaussian_classes(), SampleQuality(samples=100)
    torch.manual_seed(1)
    first = quality(resampled(data, 0.1), data)
    torch.manual_seed(2)
    assert quality(resampled(data, 0.1), data) == first


def test_black_and_white_images_want_draws(kept):
    """The probabilities of the very images that were drawn are further from them than another draw."""
    data = Digits(test_fraction=0.3, validation_fraction=0.3, batch_size=32, input_scaling="binary", seed=0,
                  label_noise=LabelNoise(fraction=0.0, kind="symmetric"))  # fmt: skip
    data.setup()
    probability = torch.from_numpy(data.raw.inputs[data.rows["train"]]).float() / 16
    quality = SampleQuality(samples=500)
    drawn = quality(lambda n, generator: torch.bernoulli(probability[:n], generator=generator), data)
    means = quality(lambda n, generator: probability[:n], data)
    assert drawn["sample_frechet"] < 2 * drawn["sample_frechet_floor"]
    assert means["sample_frechet"] > 3 * drawn["sample_frechet"]


def test_what_cannot_be_measured(kept, examples):
    data = gaussian_classes(n_validation=1)
    with pytest.raises(UserError, match="the validation part has 1 examples, expected at least 2"):
        SampleQuality(samples=10).accept(data)
    assert SampleQuality(samples=10)(resampled(data), examples(torch.zeros(3, 6), torch.zeros(3, 6))) == {}
    assert SampleQuality(samples=10).told(examples(torch.zeros(3, 6), torch.zeros(3, 6))) == ""
    with pytest.raises(ValueError, match="samples is 1, expected at least 2"):
        SampleQuality(samples=1)


def test_a_caption_names_the_yardstick_and_how_good_it_is(kept):
    data = gaussian_classes()
    yardstick = yardstick_of(data)
    told = SampleQuality(samples=10).told(data)
    assert yardstick.name in told
    assert f"{100 * yardstick.accuracy:.1f} %" in told


def test_samples_that_are_not_finite_have_no_quality(kept):
    data = gaussian_classes()
    found = SampleQuality(samples=10)(lambda n, _: torch.full((n, 6), torch.nan), data)
    assert torch.tensor(found["sample_frechet"]).isnan()
    assert torch.tensor(found["sample_kernel_distance"]).isnan()
    assert found["sample_frechet_floor"] >= 0
