"""Pictures, pixel by pixel, and maps."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from paribus.data.classification import RawImages
from paribus.data.label_noise import LabelNoise
from paribus.data.public_classes import Digits, Wine
from paribus.data.stratified import ResplitImages
from paribus.densities import Gaussian, StandardNormal
from paribus.evaluation import CodeMetrics
from paribus.evaluation.pictures import MOST_POINTS, STEPS, principal_plane, sheet
from paribus.families import Autoencoder
from paribus.networks import Linear
from paribus.objectives import Reconstruction
from paribus.schedules import Constant

TOLD = {"test_fraction": 0.5, "validation_fraction": 0.0, "batch_size": 8, "seed": 0,
        "label_noise": LabelNoise(fraction=0.0, kind="symmetric")}  # fmt: skip


class Pixels(ResplitImages):
    """Images of one line of two pixels, in some channels, with values from 0 to 255."""

    channels = 1

    def load(self):
        drawn = np.random.default_rng(0).integers(0, 256, size=(60, self.channels, 1, 2), dtype=np.uint8)
        drawn[:30, :, 0, 0], drawn[30:, :, 0, 1] = 0, 255
        return RawImages(drawn, np.arange(60) % 2, ("even", "odd"), peak=255)


class Colours(Pixels):
    channels = 3


class Pairs(Pixels):
    channels = 2


def labelled(kind, scaling="none", **changes):
    data = kind(input_scaling=scaling, **TOLD | changes)
    data.setup()
    return data


def identity(features):
    family = Autoencoder(
        likelihood=Gaussian(scale=1.0, learn_scale=False), prior=StandardNormal(features),
        encoder=Linear(features, features), decoder=Linear(features, features), objective=Reconstruction(),
        optimizer=torch.optim.Adam, scheduler=Constant(), seed=0,
    )  # fmt: skip
    with torch.no_grad():
        for network in (family.encoder, family.decoder):
            network.linear.weight.copy_(torch.eye(features))
            network.linear.bias.zero_()
    return family.eval()


def drawing(family, data, pictures=5):
    with torch.no_grad():
        drawn = CodeMetrics(neighbours=5, pictures=pictures, sample_quality=None).drawing(family, data)
    json.dumps(drawn, allow_nan=False)
    assert drawn["kind"] == "latent"
    return drawn


def pixels(picture):
    image = Image.open(io.BytesIO(base64.b64decode(picture["png"])))
    assert image.format == "PNG"
    assert image.size == (picture["width"], picture["height"])
    return np.asarray(image)


def pictures_of(drawn):
    return {picture["name"]: pixels(picture) for picture in drawn["pictures"]}


@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_an_example_is_shown_as_it_was_found(scaling):
    data = labelled(Digits, scaling)
    shown = pictures_of(drawing(identity(64), data))["reconstructions"]
    assert shown.shape == (17, 5 * 9 - 1)
    raw = data.raw.inputs[data.rows["test"]]
    for column in range(5):
        expected = np.round(raw[column, 0] * (255 / 16))
        for row in range(2):
            found = shown[9 * row : 9 * row + 8, 9 * column : 9 * column + 8]
            assert np.abs(found - expected).max() <= 1  # halves may round either way
    assert set(shown[8]) == set(shown[:, 8]) == {128}


def test_colours_are_shown_in_their_channels():
    data = labelled(Colours)
    shown = pictures_of(drawing(identity(6), data))["reconstructions"]
    assert shown.shape == (3, 5 * 3 - 1, 3)
    raw = data.raw.inputs[data.rows["test"]]
    assert shown[0, 0:2].T.tolist() == raw[0, :, 0].tolist()
    assert shown[2, 3:5].T.tolist() == raw[1, :, 0].tolist()


def test_a_plane_of_codes_is_traversed_on_a_grid():
    """Codes are the two pixels themselves: from left to right the left one grows, and upwards the right one."""
    data = labelled(Pixels)
    shown = pictures_of(drawing(identity(2), data))["traversals"]
    assert shown.shape == (2 * STEPS - 1, 3 * STEPS - 1)
    code = data.parts["test"]["x"].flatten(1).double()
    mean, deviation = code.mean(0), code.std(0, correction=0)
    steps = np.linspace(-2, 2, STEPS)
    for row in range(STEPS):
        for column in range(STEPS):
            at = mean + deviation * torch.tensor([steps[column], steps[STEPS - 1 - row]])
            expected = (255 * at.clamp(0, 1)).round()
            assert (
                torch.from_numpy(shown[2 * row, 3 * column : 3 * column + 2].astype(float)) - expected
            ).abs().max() <= 1


def test_longer_codes_are_traversed_along_the_features_that_vary_the_most():
    data = labelled(Digits)
    drawn = drawing(identity(64), data)
    shown = pictures_of(drawn)["traversals"]
    assert shown.shape == (6 * 9 - 1, STEPS * 9 - 1)
    code = data.parts["test"]["x"].flatten(1)
    most = code.std(0).argsort(descending=True)[:6]
    for row, feature in enumerate(most.tolist()):
        top, left = 9 * row + feature // 8, feature % 8
        values = [int(shown[top, 9 * step + left]) for step in range(STEPS)]
        assert values == sorted(values)
        assert values[-1] - values[0] > 150
        images = np.stack([shown[9 * row : 9 * row + 8, 9 * k : 9 * k + 8] for k in range(STEPS)])
        images[:, feature // 8, left] = 0
        assert np.abs(images - images[:1]).max() == 0  # nothing else moves
    (caption,) = (picture["caption"] for picture in drawn["pictures"] if picture["name"] == "traversals")
    assert ", ".join(str(feature + 1) for feature in most.tolist()) in caption


def test_samples_are_expected_examples_of_the_prior():
    data = labelled(Pixels)
    shown = pictures_of(drawing(identity(2), data, pictures=40))["samples"]
    assert shown.shape == (3 * 2 - 1, 40 * 3 - 1)
    found = np.concatenate([shown[::2, 0::3].ravel(), shown[::2, 1::3].ravel()])
    # standard normal: half below black, a sixth above white
    assert (found == 0).mean() == pytest.approx(0.5, abs=4 * 0.5 / 240**0.5)
    assert (found == 255).mean() == pytest.approx(0.1587, abs=4 * 0.37 / 240**0.5)


def test_no_pictures_of_what_are_no_images_or_where_none_are_wanted():
    assert drawing(identity(13), labelled(Wine))["pictures"] == []
    assert drawing(identity(4), labelled(Pairs))["pictures"] == []
    assert drawing(identity(2), labelled(Pixels), pictures=0)["pictures"] == []


def test_a_map_of_a_plane_shows_the_codes_themselves():
    data = labelled(Pixels)
    (drawn,) = drawing(identity(2), data)["maps"]
    x, label = data.parts["test"]["x"].flatten(1), data.parts["test"]["y"]
    assert drawn["classes"] == ["even", "odd"]
    assert [point[2] for point in drawn["points"]] == label.tolist()
    found = torch.tensor([point[:2] for point in drawn["points"]])
    assert (found - x).abs().max() < 1e-4


def test_a_map_of_longer_codes_shows_their_principal_plane():
    data = labelled(Digits)
    (drawn,) = drawing(identity(64), data)["maps"]
    assert len(drawn["points"]) == MOST_POINTS < data.sizes()["test"]
    x = data.parts["test"]["x"].flatten(1).double().numpy()
    left, singular, _ = np.linalg.svd(x - x.mean(0), full_matrices=False)
    expected = (left * singular)[:MOST_POINTS, :2]
    found = np.array([point[:2] for point in drawn["points"]])
    signs = np.sign((found * expected).sum(0))
    assert np.abs(found - signs * expected).max() < 1e-3
    share = 100 * (singular[:2] ** 2).sum() / (singular**2).sum()
    assert f"{share:.0f} %" in drawn["caption"]


def test_a_plane_is_not_mirrored_by_mirrored_codes_and_holds_codes_that_are_all_alike():
    code = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)).double() * torch.tensor([3.0, 2.0, 1.0, 0.5])
    plane, share = principal_plane(code)
    assert 0.8 < share < 1
    mirrored, _ = principal_plane(-code)
    assert torch.allclose(mirrored, -plane)
    assert principal_plane(torch.ones(5, 3).double())[1] == 1.0


def test_a_map_of_one_number_and_of_examples_without_classes(examples):
    x = torch.randn(30, 1, generator=torch.Generator().manual_seed(0))
    (drawn,) = drawing(identity(1), examples(x[:10], x[10:]))["maps"]
    assert drawn["classes"] == ["test part"]
    assert {(point[1], point[2]) for point in drawn["points"]} == {(0.0, 0)}
    assert [point[0] for point in drawn["points"]] == pytest.approx(x[10:].flatten().tolist(), rel=1e-3)


def test_a_sheet_has_lines_between_the_images_alone():
    shown = sheet(torch.zeros(2, 3, 1, 4, 5, dtype=torch.uint8))
    assert shown.shape == (1, 9, 17)
    assert (shown[0, 4] == 128).all()
    assert (shown[0, :, 5] == 128).all()
    assert (shown == 0).sum() == 2 * 3 * 20
