"""Pixels in [-1, 1], and that samples on that scale are measured and shown as those in [0, 1] are."""

import base64
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from paribus.data import Digits, LabelNoise, Shapes
from paribus.data.pixels import PixelScaling
from paribus.evaluation.classes import seen_classes
from paribus.evaluation.pictures import picture
from paribus.evaluation.sample_quality import SampleQuality
from paribus.evaluation.yardsticks import yardstick_of


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARIBUS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def digits(scaling):
    data = Digits(0.2, 0.2, 64, LabelNoise(0.0, "symmetric"), scaling, seed=0)
    data.setup()
    return data


@pytest.fixture(scope="module")
def both():
    return digits("symmetric"), digits("none")


@pytest.mark.parametrize("peak", [16, 255])
def test_black_is_minus_one_and_white_is_one(peak):
    images = np.arange(peak + 1, dtype=np.uint8).reshape(1, 1, 1, -1).repeat(3, axis=1)
    scaled = PixelScaling.fit(images, peak, "symmetric").apply(images)
    assert scaled.dtype == np.float32
    expected = np.linspace(-1, 1, peak + 1)
    assert np.abs(scaled - expected).max() <= 2 * np.finfo(np.float32).eps  # two roundings of numbers of at most 1
    assert (scaled[..., 0] == -1).all()
    assert (scaled[..., -1] == 1).all()


def test_the_scale_is_that_of_the_peak_whatever_the_images():
    dark = np.full((2, 1, 2, 2), 4, dtype=np.uint8)
    assert (PixelScaling.fit(dark, 16, "symmetric").apply(dark) == -0.5).all()


def test_all_parts_of_digits_are_from_minus_one_to_one(both):
    for part, rows in both[0].parts.items():
        assert rows["x"].min() == -1
        assert rows["x"].max() == 1
        assert torch.allclose(rows["x"], 2 * both[1].parts[part]["x"] - 1, atol=1e-6)


def test_images_with_colours_too():
    data = Shapes(20, 0, 20, 16, 8, LabelNoise(0.0, "symmetric"), "symmetric", seed=0)
    data.setup()
    assert data.parts["train"]["x"].amin(dim=(0, 2, 3)).tolist() == [-1.0, -1.0, -1.0]
    assert data.parts["train"]["x"].amax(dim=(0, 2, 3)).tolist() == [1.0, 1.0, 1.0]


def test_a_yardstick_sees_them_as_it_sees_the_others(both):
    symmetric, plain = both
    assert yardstick_of(symmetric).name == yardstick_of(plain).name
    seen = [seen_classes(data.parts["test"]["x"], data) for data in both]
    label = torch.from_numpy(symmetric.raw.label[symmetric.rows["test"]])
    assert (seen[0] == label).double().mean() > 0.9
    assert torch.equal(*seen)


def test_samples_on_either_scale_have_the_same_quality(both):
    """Noise around the middle grey, on each data set's own scale: no sample of quality, and equally little of it."""
    shares = torch.rand(500, 64, generator=torch.Generator().manual_seed(0))

    def measured(data, low):
        return SampleQuality(200)(lambda n, generator: low + (1 - low) * shares[:n], data)

    of_symmetric, of_plain = measured(both[0], -1.0), measured(both[1], 0.0)
    assert of_symmetric == pytest.approx(of_plain, rel=1e-3)
    assert of_symmetric["sample_frechet"] > 10 * of_symmetric["sample_frechet_floor"]


def test_their_pictures_are_black_and_white_at_the_ends(both):
    data = both[0]
    ends = torch.stack([torch.full((1, 8, 8), shade) for shade in (-1.0, 0.0, 1.0, 2.0)])
    drawn = picture("ends", "Ends", "Black, grey, white and beyond.", data, ends[None])
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(drawn["png"]))))
    assert pixels.shape == (8, 4 * 8 + 3)
    assert [pixels[4, 9 * column + 4] for column in range(4)] == [0, 128, 255, 255]
