"""Pictures of a generator's training: which pixel is which point, and what the caption says."""

from types import SimpleNamespace

import torch

from paribus.evaluation.over_training import ARM, GREY, PIXELS, image_sheet, moments, plane_sheet, scattered, told


def test_right_is_right_and_up_is_up():
    """On a plane from -1 to 1: a dot's pixels are at and after the place of its point, and what lies outside is not."""
    panel = scattered(torch.tensor([[0.5, 0.75], [3.0, 0.0], [0.0, -1.5]]), torch.zeros(0, 2), 1.0)
    assert panel.shape == (1, PIXELS, PIXELS)
    lit = panel[0].nonzero()
    row, column = int(PIXELS * (1 - 0.75) / 2), int(PIXELS * (1 + 0.5) / 2)
    assert lit.tolist() == [[row, column], [row, column + 1], [row + 1, column], [row + 1, column + 1]]


def test_a_point_on_the_last_pixel_stays_in_the_panel():
    at = torch.tensor([[0.999, -0.999]])
    panel = scattered(at, at, 1.0)[0]
    assert panel[-1, -1] == 255
    assert panel[-1, -1 - ARM :].tolist() == panel[-1 - ARM :, -1].tolist() == [GREY, GREY, 255]
    assert (panel > 0).sum() == 5, "what is cut off at an edge does not come back at another"


def test_centres_are_grey_crosses_under_the_points():
    """On a plane from -1 to 1, centres in double precision: one to the right and below, one outside."""
    centres = torch.tensor([[0.5, -0.25], [0.0, 4.0]], dtype=torch.float64)
    bare = scattered(torch.zeros(0, 2), centres, 1.0)[0]
    row, column = int(PIXELS * 1.25 / 2), int(PIXELS * 1.5 / 2)
    upright = [[row + along, column] for along in range(-ARM, ARM + 1)]
    level = [[row, column + along] for along in range(-ARM, ARM + 1)]
    assert sorted(bare.nonzero().tolist()) == sorted(upright + [each for each in level if each not in upright])
    assert set(bare.unique().tolist()) == {0, GREY}
    covered = scattered(centres[:1].float(), centres, 1.0)[0]
    assert (covered == 255).sum() == 4
    assert (covered == GREY).sum() == (bare == GREY).sum() - 3, "the middle and a pixel of two arms"


def family(turns=70, critic_steps=2):
    """Examples are the latents plus the step at which they were made."""
    latent = torch.zeros(3, 2)
    kept = SimpleNamespace(latent=latent, taken=lambda turns: {t: latent + t for t in (0, 16, 64) if t < turns})
    phases = (SimpleNamespace(turns=lambda step: step // critic_steps),)
    return SimpleNamespace(kept=kept, step=turns * critic_steps, phases=phases, decode=lambda z: z + 70)


def test_the_last_moment_is_now():
    found = moments(family())
    assert {turn: examples[0, 0].item() for turn, examples in found.items()} == {0: 0, 16: 16, 64: 64, 70: 70}
    assert told(found) == "0, 16, 64 and 70"


def test_a_training_that_ends_at_a_moment_shows_it_once():
    assert list(moments(family(turns=64))) == [0, 16, 64]


def test_a_family_that_keeps_nothing_has_no_picture():
    nothing = SimpleNamespace(kept=None)
    assert image_sheet(nothing, None, 8) == plane_sheet(nothing, torch.zeros(1, 2), 1.0) == []


def test_a_panel_for_each_moment():
    (picture,) = plane_sheet(family(), torch.zeros(1, 2), 100.0)
    assert (picture["width"], picture["height"]) == (4 * PIXELS + 3, PIXELS)
    assert "3 latents after 0, 16, 64 and 70 steps of the generator" in picture["caption"]
    assert "what lies outside is not drawn" in picture["caption"]
    assert "Grey crosses are at the centres of the data's modes" in picture["caption"]
