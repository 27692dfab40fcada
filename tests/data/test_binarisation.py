"""Binarised images: grey values are probabilities, drawn once, from a stream of their own."""

import numpy as np
import pytest
import torch

from paribus.data import Digits, GaussianClasses, LabelNoise, Wine
from paribus.data.binarisation import binarised
from paribus.data.classification import RawClasses, RawImages
from paribus.data.contract import Split
from paribus.data.idx import Idx
from paribus.data.stratified import ResplitImages
from paribus.streams import stream_seed

CLEAN = LabelNoise(0.0, "symmetric")
PARTS = ("train", "validation", "test")


def digits(scaling: str, seed: int = 0, noise: float = 0.0, **changes: float) -> Digits:
    arguments = {"test_fraction": 0.2, "validation_fraction": 0.1} | changes
    data = Digits(
        **arguments, batch_size=32, label_noise=LabelNoise(noise, "symmetric"), input_scaling=scaling, seed=seed
    )
    data.setup()
    return data


class Given(ResplitImages):
    """Images given by the test."""

    raw_images: RawImages

    def load(self) -> RawImages:
        return self.raw_images


def given(pixels: np.ndarray, peak: int, scaling: str, seed: int = 0, kind: type[Given] = Given) -> Given:
    data = kind(0.25, 0.25, 4, CLEAN, scaling, seed)
    data.raw_images = RawImages(pixels, np.arange(len(pixels)) % 2, ("even", "odd"), peak)
    data.setup()
    return data


@pytest.mark.parametrize("peak", [1, 16, 100, 255])
def test_each_grey_value_is_the_probability_of_a_white_pixel(peak: int) -> None:
    """The share of white among 40,000 pixels of each value, within 5 standard errors; of black none, of white all."""
    grey = np.arange(peak + 1, dtype=np.uint8)
    n = 40_000 if peak < 100 else 4_000
    drawn = binarised(np.broadcast_to(grey, (n, 1, 1, peak + 1)), peak, seed=3)
    assert drawn.dtype == np.uint8
    assert set(np.unique(drawn)) == {0, peak}
    share, p = (drawn[:, 0, 0] / peak).mean(axis=0), grey / peak
    assert (share[0], share[-1]) == (0, 1)
    assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n)).all()


def test_pixels_are_drawn_apart_from_one_another() -> None:
    """Correlations of 20 grey pixels over 20,000 images, all below 5 standard errors; and no two images alike."""
    drawn = binarised(np.full((20_000, 1, 4, 5), 128, dtype=np.uint8), 255, seed=0).reshape(20_000, 20)
    correlation = np.corrcoef(drawn.astype(float).T) - np.eye(20)
    assert np.abs(correlation).max() < 5 / np.sqrt(20_000)
    order = np.corrcoef(drawn[1:].ravel(), drawn[:-1].ravel())[0, 1]  # of an image with the one before it
    assert abs(order) < 5 / np.sqrt(drawn.size)


def test_binary_pixels_are_0_or_1_in_every_part() -> None:
    data = digits("binary")
    for part in PARTS:
        assert set(data.parts[part]["x"].unique().tolist()) == {0.0, 1.0}
        assert data.parts[part]["x"].dtype == torch.float32


def test_dynamic_keeps_the_probabilities_of_the_training_part_alone() -> None:
    data, grey, binary = digits("dynamic"), digits("none"), digits("binary")
    assert torch.equal(data.parts["train"]["x"], grey.parts["train"]["x"])
    for part in ("validation", "test"):
        assert torch.equal(data.parts[part]["x"], binary.parts[part]["x"])  # one draw, whichever protocol
    assert not torch.equal(binary.parts["train"]["x"], grey.parts["train"]["x"])


def test_black_and_white_stay_what_they_are() -> None:
    data, grey = digits("binary"), digits("none")
    for part in PARTS:
        x, p = data.parts[part]["x"], grey.parts[part]["x"]
        assert (x[p == 0] == 0).all()
        assert (x[p == 1] == 1).all()


def test_the_mean_over_seeds_is_the_grey_value() -> None:
    """Each of 16 pixels over 2,000 seeds, within 5 standard errors."""
    pixels = np.random.default_rng(0).integers(0, 17, (1, 1, 4, 4)).astype(np.uint8)
    drawn = np.mean([binarised(pixels, 16, seed) / 16 for seed in range(2000)], axis=0)
    p = pixels / 16
    assert (np.abs(drawn - p) <= 5 * np.sqrt(p * (1 - p) / 2000)).all()


def test_an_image_is_drawn_alike_whatever_else_is_chosen() -> None:
    """Its part, the size of the parts and the noise on the labels do not move its pixels; the seed does."""
    data = digits("binary")
    by_row = {row: x for part in PARTS for row, x in zip(data.rows[part], data.parts[part]["x"], strict=True)}
    for changed in (digits("binary", noise=0.3), digits("binary", validation_fraction=0.3)):
        for part in PARTS:
            for row, x in zip(changed.rows[part][:50], changed.parts[part]["x"], strict=False):
                assert torch.equal(by_row[row], x)
    other = digits("binary", seed=1)
    rows = {row: x for part in PARTS for row, x in zip(other.rows[part], other.parts[part]["x"], strict=True)}
    assert not any(torch.equal(rows[row], by_row[row]) for row in range(100))


def test_drawing_leaves_the_labels_their_noise() -> None:
    assert torch.equal(digits("binary", noise=0.3).noisy, digits("none", noise=0.3).noisy)


def test_what_was_drawn_is_part_of_the_pairing_and_nothing_else_is() -> None:
    grey, binary, dynamic, other = (digits(*each) for each in (("none",), ("binary",), ("dynamic",), ("binary", 1)))
    assert set(grey.pairing()) == {"data", "split", "corruption"}
    assert set(binary.pairing()) == {*grey.pairing(), "binarisation"}
    assert {name: binary.pairing()[name] for name in grey.pairing()} == grey.pairing()
    hashes = [each.pairing()["binarisation"] for each in (binary, dynamic, other)]
    assert len(set(hashes)) == 3
    assert digits("binary").pairing() == binary.pairing()


class OneSplit(Given):
    """The same parts for every seed."""

    def split(self, raw: RawClasses) -> Split:
        return {"train": np.arange(4), "validation": np.arange(4, 6), "test": np.arange(6, 8)}


def test_the_pairing_tells_apart_draws_of_held_out_parts() -> None:
    """Under `dynamic` two seeds share the grey training part, and yet are not the same data."""
    pixels = np.random.default_rng(0).integers(0, 256, (8, 1, 6, 6)).astype(np.uint8)
    first, other = (given(pixels, 255, "dynamic", seed, OneSplit) for seed in (0, 1))
    assert torch.equal(first.parts["train"]["x"], other.parts["train"]["x"])
    differing = {name for name, digest in first.pairing().items() if other.pairing()[name] != digest}
    assert differing == {"binarisation"}


def test_pixels_have_a_stream_of_their_own() -> None:
    """Not that of the noise on the labels, from which they would depend on one another."""
    rng = np.random.default_rng(stream_seed(0, "corruption"))
    shared = np.where(rng.integers(255, size=(9, 1, 8, 8), dtype=np.uint8) < 100, 255, 0)
    assert not np.array_equal(shared, binarised(np.full((9, 1, 8, 8), 100, dtype=np.uint8), 255, 0))


def test_raw_inputs_are_told_to_a_network_as_probabilities() -> None:
    for scaling in ("binary", "dynamic"):
        data = digits(scaling)
        raw = torch.from_numpy(data.raw.inputs[:10])
        torch.testing.assert_close(data.to_network_inputs(raw), raw / 16)
        black_or_white = torch.from_numpy(binarised(data.raw.inputs[data.rows["test"]], 16, 0))
        assert set(data.to_network_inputs(black_or_white).unique().tolist()) == {0.0, 1.0}


def test_raw_images_stay_as_they_were_found() -> None:
    assert np.array_equal(digits("binary").raw.inputs, digits("none").raw.inputs)


def test_channels_are_drawn_apart() -> None:
    data = given(np.full((40, 3, 8, 8), 100, dtype=np.uint8), 200, "binary")
    x = data.parts["train"]["x"]
    assert x.shape[1:] == (3, 8, 8)
    assert all(0.3 < (x[:, one] == x[:, other]).float().mean() < 0.7 for one, other in ((0, 1), (0, 2), (1, 2)))


def test_tables_refuse_what_only_images_know() -> None:
    for scaling in ("binary", "dynamic"):
        words = f"input_scaling is '{scaling}', expected one of none, standard, robust"
        with pytest.raises(ValueError, match=words):
            Wine(0.2, 0.2, 8, CLEAN, scaling, 0)
        with pytest.raises(ValueError, match=words):
            GaussianClasses(10, 0, 10, 2, 2, 1.0, 0, 8, CLEAN, scaling, 0)


def test_images_refuse_what_only_tables_know() -> None:
    words = "input_scaling is 'robust', expected one of none, standard, symmetric, binary, dynamic"
    with pytest.raises(ValueError, match=words):
        Digits(0.2, 0.2, 8, CLEAN, "robust", 0)
    with pytest.raises(ValueError, match=words):
        Idx("folder", None, 0.1, 8, CLEAN, "robust", 0)
