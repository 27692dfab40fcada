"""Shares of a data set's extent: the same whatever the scaling of the inputs."""

import pytest
import torch

from paribus.data import Digits, LabelNoise, Wine
from paribus.evaluation.extent import Extent, extent_of


def labelled(kind, scaling, seed=0):
    noise = LabelNoise(fraction=0.0, kind="symmetric")
    data = kind(test_fraction=0.2, validation_fraction=0.2, batch_size=32, label_noise=noise,
                input_scaling=scaling, seed=seed)  # fmt: skip
    data.setup()
    return data


@pytest.mark.parametrize("scaling", ["none", "standard", "binary", "dynamic"])
def test_shares_of_images_are_of_black_and_white(scaling):
    data = labelled(Digits, scaling)
    found = extent_of(data).share(data.parts["train"]["x"])
    if scaling == "binary":
        assert set(found.unique().tolist()) == {0.0, 1.0}
    else:
        expected = torch.from_numpy(data.raw.inputs[data.rows["train"]]).float() / 16
        assert (found - expected).abs().max() < 1e-6


@pytest.mark.parametrize("scaling", ["none", "standard", "robust"])
def test_shares_of_a_table_are_of_each_columns_range(scaling):
    data = labelled(Wine, scaling)
    raw = torch.from_numpy(data.raw.inputs)
    expected = (raw - raw.amin(0)) / (raw.amax(0) - raw.amin(0))
    found = extent_of(data).share(data.parts["test"]["x"])
    assert (found - expected[torch.from_numpy(data.rows["test"])]).abs().max() < 1e-5


def test_what_lies_outside_counts_as_the_end_and_a_constant_as_zero():
    extent = Extent.of(torch.tensor([[0.0, 5.0], [2.0, 5.0]]), torch.tensor([[4.0, 5.0]]), torch.empty(0, 2))
    shares = extent.share(torch.tensor([[1.0, 5.0], [-9.0, 6.0], [9.0, 4.0]], dtype=torch.float64))
    assert shares.tolist() == [[0.25, 0.0], [0.0, 1.0], [1.0, 0.0]]


def test_each_channel_of_a_colour_image_has_its_own():
    images = torch.zeros(2, 3, 2, 2)
    images[0, 1], images[1, 2, 0, 1] = 2.0, -4.0
    extent = Extent.of(images)
    assert extent.greatest.flatten().tolist() == [0.0, 2.0, 0.0]
    assert extent.least.flatten().tolist() == [0.0, 0.0, -4.0]
    assert extent.share(images)[1, 2].tolist() == [[1.0, 0.0], [1.0, 1.0]]
