"""Shifts, rotations and draws of images.

Movements by whole pixels and quarter turns are exact, others held against a second interpolator.
"""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform
from torch.func import vmap

from paribus.data.augmentation import Binarise, ShiftRotate
from paribus.errors import UserError
from paribus.noise import NoiseSpec, NoiseStream

STILL = {"shift": torch.full((3, 2), 0.5), "angle": torch.full((3,), 0.5)}


def images(height=8, width=8, channels=2, examples=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(examples, channels, height, width, dtype=torch.float64, generator=generator)


def shifted(right, down, largest):
    """Noise that shifts each of three images by so many pixels."""
    return STILL | {"shift": torch.tensor([[right, down]]).expand(3, 2) / (2 * largest) + 0.5}


def turned(degrees, largest):
    return STILL | {"angle": torch.full((3,), degrees / (2 * largest) + 0.5, dtype=torch.float64)}


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (5, 9)])
def test_the_middle_of_the_noise_is_the_identity(shape):
    x = images(*shape)
    torch.testing.assert_close(ShiftRotate(max_shift=3, max_degrees=45)(x, STILL), x, rtol=0, atol=1e-13)
    x = images(*shape).float()
    # a place is rounded by the image's size times epsilon each way, and weighs neighbours that differ by the range
    tolerance = 2 * max(shape) * torch.finfo(torch.float32).eps * (x.max() - x.min()).item()
    torch.testing.assert_close(ShiftRotate(max_shift=3, max_degrees=45)(x, STILL), x, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, 1), (-2, 3), (3, -1)])
@pytest.mark.parametrize("shape", [(8, 8), (5, 9)])
def test_a_shift_by_whole_pixels_moves_them_and_repeats_the_border(right, down, shape):
    x = images(*shape)
    rows = np.clip(np.arange(shape[0]) - down, 0, shape[0] - 1)
    columns = np.clip(np.arange(shape[1]) - right, 0, shape[1] - 1)
    outputs = ShiftRotate(max_shift=4, max_degrees=0)(x, shifted(right, down, 4))
    np.testing.assert_allclose(outputs.numpy(), x.numpy()[..., rows, :][..., columns], atol=1e-12)


@pytest.mark.parametrize("quarters", [-1, 1])
@pytest.mark.parametrize("size", [7, 8])
def test_a_quarter_turn_is_exact_and_counter_clockwise(quarters, size):
    x = images(size, size)
    outputs = ShiftRotate(max_shift=0, max_degrees=180)(x, turned(90 * quarters, 180))
    np.testing.assert_allclose(outputs.numpy(), np.rot90(x.numpy(), quarters, axes=(-2, -1)), atol=1e-12)


def test_turn_and_shift_are_those_of_a_second_interpolator():
    """scipy's affine_transform, which takes the way back in pixels (row, column) from the corner."""
    x, augmentation = images(9, 12), ShiftRotate(max_shift=2, max_degrees=30)
    noise = {"shift": torch.tensor([[0.9, 0.2], [0.1, 0.7], [0.5, 0.5]]), "angle": torch.tensor([0.1, 0.95, 0.8])}
    noise = {name: each.double() for name, each in noise.items()}
    outputs = augmentation(x, noise).numpy()
    centre = np.array([(9 - 1) / 2, (12 - 1) / 2])
    for example in range(3):
        right, down = (4 * noise["shift"][example].numpy() - 2).tolist()
        angle = math.radians(60 * noise["angle"][example].item() - 30)
        back = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])  # of (row, column)
        offset = centre - back @ (centre + np.array([down, right]))
        for channel in range(2):
            expected = affine_transform(x[example, channel].numpy(), back, offset, order=1, mode="nearest")
            np.testing.assert_allclose(outputs[example, channel], expected, atol=1e-10)


def test_noise_reaches_from_the_largest_movement_one_way_to_that_the_other_way():
    """The centre of gravity of a spot, for the noise 0 and nearly 1."""
    spot = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    spot[0, 0, 10, 15] = 1  # five pixels right of the centre
    place = torch.arange(21, dtype=torch.float64) - 10

    def centre(shift, angle):
        noise = {
            "shift": torch.tensor([shift], dtype=torch.float64),
            "angle": torch.tensor([angle], dtype=torch.float64),
        }
        moved = ShiftRotate(max_shift=3, max_degrees=90)(spot, noise)[0, 0]
        return [(moved.sum(0) @ place / moved.sum()).item(), (moved.sum(1) @ place / moved.sum()).item()]

    assert centre([0.5, 0.5], 0.5) == pytest.approx([5, 0])
    assert centre([0.0, 0.0], 0.5) == pytest.approx([2, -3])
    assert centre([1.0, 1.0], 0.5) == pytest.approx([8, 3])
    assert centre([0.5, 0.5], 1.0) == pytest.approx([0, -5], abs=1e-9)  # counter-clockwise: up
    assert centre([0.5, 0.5], 0.0) == pytest.approx([0, 5], abs=1e-9)


def test_noise_is_declared_and_nothing_else_is_random():
    augmentation, x = ShiftRotate(max_shift=2, max_degrees=20), images()
    spec = augmentation.noise_spec()
    assert spec == {"shift": NoiseSpec((2,), "uniform"), "angle": NoiseSpec((), "uniform")}
    noise, other = (NoiseStream(spec, 3, seed).at(0, like=x) for seed in (0, 1))
    before, kept = torch.random.get_rng_state(), x.clone()
    outputs = augmentation(x, noise)
    assert torch.equal(augmentation(x, noise), outputs)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(x, kept)
    for name in spec:
        assert not torch.allclose(augmentation(x, noise | {name: other[name]}), outputs)
    assert outputs.dtype == x.dtype
    assert x.min() <= outputs.min() <= outputs.max() <= x.max()


def test_a_stack_is_a_loop():
    augmentation, x = ShiftRotate(max_shift=2, max_degrees=20), images(examples=12).unflatten(0, (4, 3))
    noises = [NoiseStream(augmentation.noise_spec(), 3, seed).at(0, like=x[0]) for seed in range(4)]
    stacked = vmap(augmentation)(x, {name: torch.stack([each[name] for each in noises]) for name in noises[0]})
    looped = torch.stack([augmentation(each, noise) for each, noise in zip(x, noises, strict=True)])
    torch.testing.assert_close(stacked, looped)


def test_what_is_out_of_range_is_refused():
    for shift in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"max_shift is {shift}, expected a number of pixels"):
            ShiftRotate(shift, 0.0)
    for degrees in (-1.0, 181.0, math.nan):
        with pytest.raises(ValueError, match=f"max_degrees is {degrees}, expected an angle from 0 to 180"):
            ShiftRotate(0.0, degrees)
    with pytest.raises(ValueError, match=r"need images, and an example has shape \[30\]"):
        ShiftRotate(1.0, 1.0)(torch.zeros(3, 30), STILL)


# binarising


GREY = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=torch.float64)


def binarise(shape=(2, 5, 4)):
    return Binarise(in_shape=shape)


def grey_images(examples=3, shape=(2, 5, 4)):
    return torch.rand(examples, *shape, generator=torch.Generator().manual_seed(1))


def test_a_number_below_the_grey_value_is_white():
    x = GREY.expand(3, 1, 1, 4)
    noise = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.2, 0.2, 0.2, 0.2], [0.5, 0.5, 0.5, 1 - 2**-24]]).double()
    drawn = binarise((1, 1, 4))(x, {"pixel": noise[:, None, None]})
    assert drawn[:, 0, 0].tolist() == [[0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1]]
    assert drawn.dtype == x.dtype


def test_the_mean_over_draws_is_the_grey_value_and_pixels_are_independent():
    """Over 20,000 draws of one image of 40 pixels: each within 5 standard errors, and each correlation of two."""
    x, augmentation = grey_images(1), binarise()
    stream = NoiseStream(augmentation.noise_spec(), 20_000, seed=0)
    drawn = augmentation(x.expand(20_000, -1, -1, -1), stream.at(0, like=x.expand(20_000, -1, -1, -1)))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    flat, p = drawn.flatten(1).double().numpy(), x.flatten().double().numpy()
    assert (np.abs(flat.mean(axis=0) - p) <= 5 * np.sqrt(p * (1 - p) / 20_000)).all()
    assert np.abs(np.corrcoef(flat.T) - np.eye(40)).max() < 5 / math.sqrt(20_000)


def test_another_step_is_another_draw_and_the_same_step_the_same():
    x, augmentation = grey_images(), binarise()
    stream = NoiseStream(augmentation.noise_spec(), 3, seed=0)
    first, second, again = (augmentation(x, stream.at(step, like=x)) for step in (0, 1, 0))
    assert torch.equal(first, again)
    assert 0.1 < (first != second).float().mean() < 0.9


def test_what_is_binary_stays_as_it_is():
    augmentation, x = binarise(), grey_images().round()
    assert torch.equal(augmentation(x, NoiseStream(augmentation.noise_spec(), 3, 0).at(0, like=x)), x)


def test_a_stack_of_draws_is_a_loop_of_them():
    augmentation, x = binarise(), grey_images(12).unflatten(0, (4, 3))
    noises = [NoiseStream(augmentation.noise_spec(), 3, seed).at(0, like=x[0]) for seed in range(4)]
    stacked = vmap(augmentation)(x, {"pixel": torch.stack([noise["pixel"] for noise in noises])})
    assert torch.equal(stacked, torch.stack([augmentation(*each) for each in zip(x, noises, strict=True)]))


@pytest.mark.parametrize("value", [-0.01, 1.001, math.nan, math.inf])
def test_what_is_no_probability_is_refused(value):
    x = grey_images()
    binarise().check(x)
    x[1, 0, 2, 3] = value
    words = rf"augmentation=binarise .* the training part has {value:.4g}; .* data.input_scaling=dynamic"
    with pytest.raises(UserError, match=words):
        binarise().check(x)


def test_shifts_take_any_values():
    ShiftRotate(1.0, 1.0).check(torch.tensor([[-3.0, 7.0]]))
