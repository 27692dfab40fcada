"""Plane shapes and what they cover: against exact areas, another rasteriser, and points told inside by ray casting."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from paribus.data.outlines import OUTLINES, SAMPLES, Outline, coverage, turned

POLYGONS = [name for name in OUTLINES if name != "circle"]
SAMPLING = math.sqrt(2) / 2 / SAMPLES
"""A sample stands for a square that an edge may halve: an error of up to half its diagonal times the edge's length."""
AREAS = {"circle": math.pi, "square": 2.0, "triangle": 3 * math.sqrt(3) / 4, "cross": 2.0}


def drawn(outline: Outline, n: int, pixels: int, seed: int = 0):
    """Random shapes that lie within the image: centres, radii and angles, and what they cover."""
    rng = np.random.default_rng(seed)
    radius, angle = rng.uniform(0.1, 0.3, n) * pixels, rng.uniform(0, 360, n)
    centre = rng.uniform(0.3, 0.7, (n, 2)) * pixels
    return centre, radius, angle, coverage(outline, centre, radius, angle, pixels)


def boundary(outline: Outline) -> np.ndarray:
    """Some 6,000 points of the outline, at most .002 apart."""
    if not len(outline.corners):
        circle = np.linspace(0, 2 * np.pi, 6000)
        return np.stack([np.cos(circle), np.sin(circle)], axis=1)
    along = np.linspace(0, 1, 1000)[:, None]
    pairs = zip(outline.corners, np.roll(outline.corners, -1, axis=0), strict=True)
    return np.concatenate([first + along * (second - first) for first, second in pairs])


def length(outline: Outline) -> float:
    return float(np.linalg.norm(np.diff(boundary(outline), axis=0), axis=1).sum())


def inside(outline: Outline, points: np.ndarray) -> np.ndarray:
    """Whether a ray to the right crosses the outline an odd number of times."""
    if not len(outline.corners):
        return (points**2).sum(axis=1) < 1
    crossings = np.zeros(len(points), dtype=int)
    for (x0, y0), (x1, y1) in zip(outline.corners, np.roll(outline.corners, -1, axis=0), strict=True):
        spans = (y0 > points[:, 1]) != (y1 > points[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x0 + (points[:, 1] - y0) / (y1 - y0) * (x1 - x0)
        crossings += spans & (points[:, 0] < at)
    return crossings % 2 == 1


@pytest.mark.parametrize("name", OUTLINES)
def test_a_shape_reaches_to_1_has_its_area_and_its_centre_of_gravity_at_the_origin(name: str) -> None:
    outline = OUTLINES[name]
    assert np.linalg.norm(boundary(outline), axis=1).max() == pytest.approx(1)
    assert outline.area == pytest.approx(AREAS[name])
    side = (np.arange(1000) + 0.5) / 500 - 1
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    held = grid[inside(outline, grid)]
    assert 4 * len(held) / 1e6 == pytest.approx(AREAS[name], abs=0.001 * length(outline))  # half a step of the grid
    np.testing.assert_allclose(held.mean(axis=0), 0, atol=0.002)


@pytest.mark.parametrize("name", OUTLINES)
def test_depth_tells_inside_from_outside_and_is_at_most_the_distance(name: str) -> None:
    outline = OUTLINES[name]
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (2000, 2))
    depth = outline.depth(points[:, 0], points[:, 1])
    assert np.array_equal(depth < 0, inside(outline, points))
    distance = cKDTree(boundary(outline)).query(points)[0]
    assert (np.abs(depth) <= distance + 1e-12).all()
    assert np.abs(depth).max() > 0.3


@pytest.mark.parametrize("name", OUTLINES)
@pytest.mark.parametrize("pixels", [8, 16, 32])
def test_what_is_covered_adds_up_to_the_area(name: str, pixels: int) -> None:
    """Each as closely as samples can tell; on average, where their errors cancel, within .1 %."""
    outline = OUTLINES[name]
    _, radius, _, covered = drawn(outline, 1000, pixels)
    error = covered.sum(axis=(1, 2)) - AREAS[name] * radius**2
    assert (np.abs(error) < length(outline) * radius * SAMPLING).all()
    assert abs((error / (AREAS[name] * radius**2)).mean()) < 1e-3
    assert covered.dtype == np.float32
    assert (covered.min(), covered.max()) == (0, 1)
    np.testing.assert_array_equal(covered * SAMPLES**2, np.rint(covered * SAMPLES**2))


@pytest.mark.parametrize("name", OUTLINES)
def test_the_mean_place_of_what_is_covered_is_the_centre(name: str) -> None:
    centre, _, _, covered = drawn(OUTLINES[name], 500, 32)
    middles = np.arange(32) + 0.5
    total = covered.sum(axis=(1, 2))
    place = np.stack([(covered.sum(axis=1) @ middles) / total, (covered.sum(axis=2) @ middles) / total], axis=1)
    assert np.abs(place - centre).max() < 0.1
    assert np.abs((place - centre).mean(axis=0)).max() < 0.01


@pytest.mark.parametrize("name", OUTLINES)
def test_each_pixel_is_covered_as_another_rasteriser_says(name: str) -> None:
    """Pillow's, on a grid 64 times as fine, of which it may take a fine pixel more along the whole outline."""
    fine, pixels = 64, 16
    outline = OUTLINES[name]
    centre, radius, angle, covered = drawn(outline, 10, pixels)
    for number in range(10):
        image = Image.new("1", (fine * pixels, fine * pixels))
        radians, middle = math.radians(angle[number]), complex(*centre[number])
        # counter-clockwise with y down: a turn by minus the angle in the plane of complex numbers
        points = [complex(*each) * radius[number] * np.exp(-1j * radians) + middle for each in boundary(outline)[::5]]
        ImageDraw.Draw(image).polygon([(point.real * fine - 0.5, point.imag * fine - 0.5) for point in points], fill=1)
        expected = np.asarray(image).reshape(pixels, fine, pixels, fine).mean(axis=(1, 3))
        error = np.abs(covered[number] - expected)
        assert error.sum() < length(outline) * radius[number] * (SAMPLING + 1 / fine)
        assert error.max() < math.sqrt(2) * (SAMPLING + 1 / fine)  # an outline's longest way through a pixel


def test_edges_along_the_pixels_are_exact() -> None:
    """A square whose edges fall between samples, so that each pixel's share is a product of two lengths."""
    half, centre = 3.25, np.array([[8.125, 7.375]])
    covered = coverage(OUTLINES["square"], centre, np.array([half * math.sqrt(2)]), np.zeros(1), 16)[0]
    edges = np.arange(17.0)
    across, along = (
        np.clip(np.minimum(edges[1:], middle + half) - np.maximum(edges[:-1], middle - half), 0, 1)
        for middle in centre[0]
    )
    np.testing.assert_array_equal(covered, along[:, None] * across)


@pytest.mark.parametrize("name", POLYGONS)
def test_a_turn_by_the_period_changes_nothing_and_half_of_it_does(name: str) -> None:
    outline, centre, radius = OUTLINES[name], np.full((1, 2), 8.3), np.array([5.0])
    first, whole, half = (
        coverage(outline, centre, radius, np.array([20.0 + share * outline.period]), 16) for share in (0, 1, 0.5)
    )
    assert np.abs(first - whole).sum() <= 4 / SAMPLES**2  # points on an edge may fall to either side
    assert np.abs(first - half).sum() > 3


def test_a_circle_has_no_angle() -> None:
    centre, radius = np.full((1, 2), 8.3), np.array([5.0])
    first, second = (coverage(OUTLINES["circle"], centre, radius, np.array([angle]), 16) for angle in (0.0, 77.0))
    assert np.abs(first - second).sum() <= 4 / SAMPLES**2
    assert OUTLINES["circle"].period == 0


@pytest.mark.parametrize("name", POLYGONS)
def test_a_quarter_turn_is_counter_clockwise(name: str) -> None:
    middle, radius = np.full((1, 2), 8.0), np.array([6.1])
    before, after = (coverage(OUTLINES[name], middle, radius, np.array([angle]), 16)[0] for angle in (11.0, 101.0))
    assert np.abs(np.rot90(before) - after).sum() <= 4 / SAMPLES**2
    up = turned(np.array([1.0, 0.0]), np.array(90.0))
    np.testing.assert_allclose(up, [0, -1], atol=1e-15)  # from the right to the top, and y points down


@pytest.mark.parametrize("name", POLYGONS)
def test_corners_run_counter_clockwise_from_the_topmost(name: str) -> None:
    corners = OUTLINES[name].corners
    top = corners[:, 1].min()
    assert corners[0, 1] == pytest.approx(top)
    assert corners[0, 0] == pytest.approx(corners[corners[:, 1] < top + 1e-9, 0].max())
    angles = np.unwrap(np.arctan2(-corners[:, 1], corners[:, 0]))
    assert (np.diff(angles) > 0).all()


@pytest.mark.parametrize("name", OUTLINES)
def test_the_box_is_that_of_the_turned_outline(name: str) -> None:
    angle = np.array([0.0, 17.0, 45.0, 100.0])
    for number, box in enumerate(OUTLINES[name].box(angle)):
        places = turned(boundary(OUTLINES[name]), angle[number])
        np.testing.assert_allclose(box, [*places.min(axis=0), *places.max(axis=0)], atol=1e-6)


def test_no_shape_is_no_image() -> None:
    nothing = np.zeros(0)
    assert coverage(OUTLINES["cross"], np.zeros((0, 2)), nothing, nothing, 16).shape == (0, 16, 16)
