"""Images of shapes, and what is told of them, against one another: pixels, factors, words and places."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from paribus.data import LabelNoise, Shapes
from paribus.data.annotations import Annotations
from paribus.data.outlines import OUTLINES
from paribus.data.shapes import COLOURS, FACTORS, SHAPES, annotated, caption, draw_factors

CLEAN = LabelNoise(0.0, "symmetric")
ARGUMENTS = {"n_train": 300, "n_validation": 60, "n_test": 80, "pixels": 16, "batch_size": 32, "input_scaling": "none"}
PARTS = ("train", "validation", "test")
RGB = {
    "red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1),
    "yellow": (1, 1, 0), "magenta": (1, 0, 1), "cyan": (0, 1, 1),
}  # fmt: skip
CORNERS = {"circle": 0, "square": 4, "triangle": 3, "cross": 12}
AREAS = {"circle": math.pi, "square": 2.0, "triangle": 3 * math.sqrt(3) / 4, "cross": 2.0}


def make(seed: int = 0, label_noise: LabelNoise = CLEAN, **changes) -> Shapes:
    data = Shapes(**(ARGUMENTS | changes), label_noise=label_noise, seed=seed)
    data.setup()
    return data


@pytest.fixture(scope="module")
def data() -> Shapes:
    return make(pixels=32)


@pytest.fixture(scope="module")
def known(data: Shapes) -> Annotations:
    return data.annotations["train"]


def named(known: Annotations, name: str) -> list[str]:
    return [known.values[name][int(value)] for value in known.factor(name)]


# parts


def test_parts_and_their_annotations_are_row_by_row_of_one_size(data: Shapes) -> None:
    for part, n in zip(PARTS, (300, 60, 80), strict=True):
        rows, known = data.parts[part], data.annotations[part]
        assert rows["x"].shape == (n, 3, 32, 32)
        assert (len(known), len(known.captions), len(known.boxes)) == (n, n, n)
        assert known.masks.shape == (n, 1, 32, 32)
        assert known.key_points.shape == (n, 13, 2)
        assert torch.equal(rows["y"], known.factor("shape").long())
        # a pixel is the mask in a colour, to the nearest of 256 values
        assert (rows["x"].amax(dim=1) - known.masks[:, 0]).abs().max() <= 0.5 / 255 + 1e-6
    assert data.classes == ("circle", "square", "triangle", "cross")
    assert data.facts()["out_features"] == 4
    assert data.replication == "fresh"


def test_the_same_seed_gives_the_same_bits_and_another_all_others() -> None:
    first, again, other = make(0), make(0), make(1)
    assert first.pairing() == again.pairing()
    for part in PARTS:
        assert torch.equal(first.parts[part]["x"], again.parts[part]["x"])
        assert first.annotations[part].captions == again.annotations[part].captions
        assert torch.equal(first.annotations[part].factors, again.annotations[part].factors)
        assert not torch.isin(first.annotations[part].factor("x"), other.annotations[part].factor("x")).any()
    assert first.pairing()["split"] != other.pairing()["split"]


def test_preparing_leaves_the_global_streams_where_they_were() -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    make()
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)


def test_noise_on_the_labels_leaves_the_annotations_the_truth() -> None:
    clean, spoilt = make(), make(label_noise=LabelNoise(0.2, "symmetric"))
    assert (spoilt.parts["train"]["y"] != clean.parts["train"]["y"]).sum() == 60
    assert torch.equal(spoilt.annotations["train"].factors, clean.annotations["train"].factors)


def test_binary_shapes_keep_background_and_inside() -> None:
    """Colours and the background are 0 and 1 already: only pixels on an outline are drawn."""
    binary, dynamic = make(input_scaling="binary"), make(input_scaling="dynamic")
    for part, shapes in itertools.product(PARTS, (binary, dynamic)):
        x, mask = shapes.parts[part]["x"], shapes.annotations[part].masks.expand(-1, 3, -1, -1)
        sure = (mask == 0) | (mask == 1)
        assert torch.equal(x[sure], make().parts[part]["x"][sure])
    assert set(binary.parts["train"]["x"].unique().tolist()) == {0.0, 1.0}
    assert len(dynamic.parts["train"]["x"].unique()) > 20


# factors


def test_factors_are_uniform() -> None:
    """Kolmogorov and Smirnov's and the chi-square test on 20,000 draws: p above 1e-5."""
    factors = draw_factors(np.random.default_rng(0), 20_000)
    shape, colour, size, x, y, angle = factors.T
    assert chisquare(np.bincount(shape.astype(int), minlength=4)).pvalue > 1e-5
    assert chisquare(np.bincount(colour.astype(int), minlength=6)).pvalue > 1e-5
    assert kstest((size - 0.14) / 0.14, "uniform").pvalue > 1e-5
    for place in (x, y):
        assert kstest((place - 0.28) / 0.44, "uniform").pvalue > 1e-5
    for number, period in ((1, 90), (2, 120), (3, 90)):
        assert kstest(angle[shape == number] / period, "uniform").pvalue > 1e-5
    assert (angle[shape == 0] == 0).all()


def test_factors_are_independent() -> None:
    """Each pair of factors in four bins each: the chi-square test of their table, p above 1e-6 for each of 15."""
    factors = draw_factors(np.random.default_rng(1), 40_000)
    period = np.array([1, 90, 120, 90])[factors[:, 0].astype(int)]
    factors[:, 5] /= period
    factors = factors[factors[:, 0] > 0]  # a circle has no angle
    bins = [np.minimum(3, (4 * (each - each.min()) / (np.ptp(each) + 1e-9)).astype(int)) for each in factors.T]
    for one, other in itertools.combinations(bins, 2):
        table = np.histogram2d(one, other, bins=(np.arange(-0.5, 4), np.arange(-0.5, 4)))[0]
        table = table[table.sum(axis=1) > 0]
        expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
        freedom = table.size - 1 - (len(table) - 1) * (table.shape[1] - 1)
        assert chisquare(table.ravel(), expected.ravel(), ddof=freedom).pvalue > 1e-6


def test_factors_do_not_depend_on_the_resolution() -> None:
    small, large = make(pixels=16), make(pixels=32)
    for part in PARTS:
        one, other = small.annotations[part], large.annotations[part]
        assert torch.equal(one.factors, other.factors)
        assert one.captions == other.captions
        torch.testing.assert_close(2 * one.boxes, other.boxes)
        torch.testing.assert_close(2 * one.key_points, other.key_points, equal_nan=True)
        averaged = torch.nn.functional.avg_pool2d(other.masks, 2)
        assert (averaged - one.masks).abs().max() < 0.1
        assert (averaged - one.masks).abs().sum() < 0.015 * one.masks.sum()
        assert ((averaged - one.masks).sum() / one.masks.sum()).abs() < 1e-3


def test_columns_have_names(known: Annotations) -> None:
    assert known.factor_names == FACTORS == ("shape", "colour", "size", "x", "y", "angle")
    assert known.values == {"shape": data_shapes(), "colour": tuple(RGB)}
    assert known.periods == {"angle": (0, 90, 120, 90)}
    assert known.factors.dtype == torch.float64
    assert torch.equal(known.factor("size"), known.factors[:, 2])
    with pytest.raises(KeyError, match="there is no factor 'hue', expected one of shape, colour, size"):
        known.factor("hue")


def data_shapes() -> tuple[str, ...]:
    return ("circle", "square", "triangle", "cross")


# pictures


def test_pixels_inside_have_the_colour_and_pixels_outside_none(data: Shapes, known: Annotations) -> None:
    assert {name: tuple(value) for name, value in COLOURS.items()} == RGB
    for x, mask, colour in zip(data.parts["train"]["x"], known.masks, named(known, "colour"), strict=True):
        inside, outside = mask[0] == 1, mask[0] == 0
        assert inside.sum() > 5
        assert (x[:, inside] == torch.tensor(RGB[colour])[:, None]).all()
        assert (x[:, outside] == 0).all()
        assert (x[[not channel for channel in RGB[colour]]] == 0).all()


def test_masks_have_the_area_and_lie_about_the_place(known: Annotations) -> None:
    middles = torch.arange(32) + 0.5
    areas = torch.tensor([AREAS[name] for name in named(known, "shape")]) * (32 * known.factor("size")) ** 2
    total = known.masks.double().sum(dim=(1, 2, 3))
    assert ((total - areas).abs() / areas).max() < 0.06
    assert ((total - areas) / areas).mean().abs() < 0.002
    x = (known.masks.sum(dim=(1, 2)) @ middles) / total
    y = (known.masks.sum(dim=(1, 3)) @ middles) / total
    assert (x - 32 * known.factor("x")).abs().max() < 0.1
    assert (y - 32 * known.factor("y")).abs().max() < 0.1


def test_boxes_enclose_the_masks_tightly(known: Annotations) -> None:
    """No pixel beyond the box is covered; the pixels that its edges lie in are, but for slivers between samples."""
    for mask, (x0, y0, x1, y1) in zip(known.masks[:, 0], known.boxes.tolist(), strict=True):
        rows, columns = (mask.sum(dim=dim).nonzero()[:, 0] for dim in (1, 0))
        for first, last, low, high in ((columns[0], columns[-1], x0, x1), (rows[0], rows[-1], y0, y1)):
            assert math.floor(low) <= first <= math.floor(low) + 1
            assert math.ceil(high) - 2 <= last <= math.ceil(high) - 1
    assert known.boxes.min() >= 0
    assert known.boxes.max() <= 32


def test_key_points_are_the_centre_and_the_turned_corners(known: Annotations) -> None:
    for points, shape, factors in zip(known.key_points.double(), named(known, "shape"), known.factors, strict=True):
        _, _, size, x, y, angle = factors.tolist()
        np.testing.assert_allclose(points[0], [32 * x, 32 * y], rtol=1e-6)
        corners = points[1 : 1 + CORNERS[shape]]
        assert torch.isfinite(corners).all()
        assert torch.isnan(points[1 + CORNERS[shape] :]).all()
        turn = np.exp(-1j * math.radians(angle))  # counter-clockwise where y points down
        expected = [complex(*corner) * turn * 32 * size + complex(*points[0]) for corner in OUTLINES[shape].corners]
        np.testing.assert_allclose([complex(*corner) for corner in corners.tolist()], expected, rtol=1e-5)


def test_boxes_of_polygons_are_those_of_their_corners(known: Annotations) -> None:
    for points, box, shape in zip(known.key_points, known.boxes, named(known, "shape"), strict=True):
        corners = points[1 : 1 + CORNERS[shape]]
        if len(corners):
            torch.testing.assert_close(box, torch.cat([corners.amin(dim=0), corners.amax(dim=0)]))
        else:
            assert (box[2] - box[0]).item() == pytest.approx((box[3] - box[1]).item(), rel=1e-5)


# words

CAPTION = re.compile(
    r"a (?P<size>small|medium|large) (?P<colour>\w+) (?P<shape>\w+) "
    r"(?:at the (?P<row>top|bottom)? ?(?P<column>left|right)?|in the centre)(?:, turned by (?P<angle>\d+) degrees)?"
)


def test_captions_say_what_the_factors_are(known: Annotations) -> None:
    seen = set()
    for words, factors, shape, colour in zip(
        known.captions, known.factors.tolist(), named(known, "shape"), named(known, "colour"), strict=True
    ):
        found = CAPTION.fullmatch(words)
        assert found, words
        assert (found["shape"], found["colour"]) == (shape, colour)
        _, _, size, x, y, angle = factors
        assert found["size"] == ("small", "medium", "large")[np.digitize(size, [0.14 + 0.14 / 3, 0.14 + 0.28 / 3])]
        thirds = [0.28 + 0.44 / 3, 0.28 + 0.88 / 3]
        assert found["column"] == ("left", None, "right")[np.digitize(x, thirds)]
        assert found["row"] == ("top", None, "bottom")[np.digitize(y, thirds)]
        told, period = int(found["angle"] or 0), {"circle": 360, "square": 90, "triangle": 120, "cross": 90}[shape]
        assert told % 15 == 0
        assert told < period
        assert min((angle - told) % period, (told - angle) % period) <= 7.5
        seen |= {*filter(None, found.groups()), "in the centre" in words}
    assert seen >= {"small", "large", "top", "bottom", "left", "right", True, *SHAPES, *RGB, "15", "105"}


def test_each_combination_of_words_is_one_caption() -> None:
    """Through the middle of each third and the multiples of 15 degrees: 9 x 3 x 6 x (1 + 6 + 8 + 6) captions."""
    turns = {0: [0.0], 1: range(0, 90, 15), 2: range(0, 120, 15), 3: range(0, 90, 15)}
    captions = [
        caption(np.array([shape, colour, 0.14 + 0.14 * size, 0.28 + 0.44 * x, 0.28 + 0.44 * y, angle]))
        for shape, colour, size, x, y in itertools.product(range(4), range(6), *[[1 / 6, 1 / 2, 5 / 6]] * 3)
        for angle in turns[shape]
    ]
    assert len(set(captions)) == len(captions) == 9 * 3 * 6 * 21


def test_captions_at_the_ends_of_the_ranges() -> None:
    assert caption(np.array([1, 0, 0.14, 0.28, 0.28, 30])) == "a small red square at the top left, turned by 30 degrees"
    assert caption(np.array([3, 4, 0.28, 0.72, 0.72, 89])) == "a large magenta cross at the bottom right"
    assert caption(np.array([0, 2, 0.21, 0.5, 0.5, 0])) == "a medium blue circle in the centre"
    assert caption(np.array([2, 5, 0.21, 0.5, 0.3, 112])) == "a medium cyan triangle at the top, turned by 105 degrees"


# annotations


def test_rows_can_be_taken(known: Annotations) -> None:
    some = known.take(torch.tensor([5, 2]))
    assert some.captions == (known.captions[5], known.captions[2])
    for name in ("factors", "masks", "boxes"):
        assert torch.equal(getattr(some, name), getattr(known, name)[[5, 2]])
    torch.testing.assert_close(some.key_points, known.key_points[[5, 2]], equal_nan=True)
    assert (some.factor_names, some.values) == (known.factor_names, known.values)


def test_scenes_can_be_drawn_from_factors_alone(known: Annotations) -> None:
    again = annotated(known.factors.numpy(), 32)
    assert torch.equal(again.masks, known.masks)
    assert again.captions == known.captions


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_train": 1}, "n_train is 1, expected at least 2"),
        ({"n_validation": -1}, "n_validation is -1, expected at least 0"),
        ({"n_test": 0}, "n_test is 0, expected at least 1"),
        ({"pixels": 7}, "pixels is 7, expected at least 8"),
        ({"input_scaling": "robust"}, "input_scaling is 'robust', expected one of none, standard, symmetric, binary"),
    ],
)
def test_mistakes_are_named(changes, words) -> None:
    with pytest.raises(ValueError, match=words):
        make(**changes)


def test_validation_may_be_empty() -> None:
    data = make(n_validation=0)
    assert data.sizes()["validation"] == len(data.annotations["validation"]) == 0
