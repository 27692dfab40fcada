"""Pictures of a generator's training: which pixel is which point, and what the caption says."""

from types import SimpleNamespace

import torch

from paribus.evaluation.over_training import PIXELS, image_sheet, moments, plane_sheet, scattered, told


def test_right_is_right_and_up_is_up():
    """On a plane from -1 to 1: a dot's pixels are at and after the place of its point, and what lies outside is not."""
    panel = scattered(torch.tensor([[0.5, 0.75], [3.0, 0.0], [0.0, -1.5]]), 1.0)
    assert panel.shape == (1, PIXELS, PIXELS)
    lit = panel[0].nonzero()
    row, column = int(PIXELS * (1 - 0.75) / 2), int(PIXELS * (1 + 0.5) / 2)
    assert lit.tolist() == [[row, column], [row, column + 1], [row + 1, column], [row + 1, column + 1]]


def test_a_point_on_the_last_pixel_stays_in_the_panel():
    assert scattered(torch.tensor([[0.999, -0.999]]), 1.0)[0, -1, -1] == 255


def family(turns=70, critic_steps=2):
    """Examples are the latents plus the step at which they were made."""
    latent = torch.zeros(3, 2)
    kept = SimpleNamespace(latent=latent, taken=lambda turns: {t: latent + t for t in (0, 16, 64) if t < turns})
    return SimpleNamespace(kept=kept, step=turns * critic_steps, critic_steps=critic_steps, decode=lambda z: z + 70)


def test_the_last_moment_is_now():
    found = moments(family())
    assert {turn: examples[0, 0].item() for turn, examples in found.items()} == {0: 0, 16: 16, 64: 64, 70: 70}
    assert told(found) == "0, 16, 64 and 70"


def test_a_training_that_ends_at_a_moment_shows_it_once():
    assert list(moments(family(turns=64))) == [0, 16, 64]


def test_a_family_that_keeps_nothing_has_no_picture():
    nothing = SimpleNamespace(kept=None)
    assert image_sheet(nothing, None, 8) == plane_sheet(nothing, 1.0) == []


def test_a_panel_for_each_moment():
    (picture,) = plane_sheet(family(), 100.0)
    assert (picture["width"], picture["height"]) == (4 * PIXELS + 3, PIXELS)
    assert "3 latents after 0, 16, 64 and 70 steps of the generator" in picture["caption"]
