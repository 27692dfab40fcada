"""Plane shapes: which points they hold, and how much of each pixel they cover.

Places are (x, y), x to the right and y down, as pixels are counted: pixel j of a line reaches from j to j + 1. Angles
are counter-clockwise as one sees them.
"""

import math

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]

SAMPLES = 8
"""Points a pixel along each axis of which the share inside is what the shape covers of the pixel."""
AT_ONCE = 512
"""Images that are drawn at once: what that takes stays in the cache."""


class Outline:
    """A shape about the origin, its centre of gravity, that reaches to the distance 1 from it.

    Attributes:
        corners: `[k, 2]` at the angle 0, counter-clockwise from the topmost, the right one of two.
        period: degrees, a turn by which changes nothing; 0 where no turn does.
        area: where the reach is 1.
    """

    corners: Numbers
    period: float
    area: float

    def depth(self, x: Numbers, y: Numbers) -> Numbers:
        """Below 0 inside and above outside; a point is at least as far from the outline as its absolute value."""
        raise NotImplementedError(f"{type(self).__name__} must implement depth")

    def box(self, angle: Numbers) -> Numbers:
        """The smallest upright rectangle about the shape turned by `[n]` degrees: `[n, 4]`, x0, y0, x1, y1."""
        raise NotImplementedError(f"{type(self).__name__} must implement box")


class Disc(Outline):
    """The points within the distance 1."""

    corners, period, area = np.zeros((0, 2)), 0.0, math.pi

    def depth(self, x: Numbers, y: Numbers) -> Numbers:
        """The distance from the circle."""
        return np.hypot(x, y) - 1

    def box(self, angle: Numbers) -> Numbers:
        """The square about it."""
        return np.tile([-1.0, -1.0, 1.0, 1.0], (len(angle), 1))


class Polygon(Outline):
    """A union of convex polygons.

    Args:
        corners: of the union, `[k, 2]`, counter-clockwise as one sees them.
        pieces: the corners of each convex polygon, likewise.
        period: see `Outline`.
    """

    def __init__(self, corners: Numbers, pieces: tuple[Numbers, ...], period: float) -> None:
        self.corners, self.pieces, self.period = corners, pieces, period
        (x, y), (next_x, next_y) = corners.T, np.roll(corners, -1, axis=0).T
        self.area = float((y * next_x - x * next_y).sum()) / 2  # above 0: counter-clockwise while y points down

    def depth(self, x: Numbers, y: Numbers) -> Numbers:
        """Of the pieces the least, and in each the largest distance from the line of an edge."""
        return np.minimum.reduce([_convex_depth(piece, x, y) for piece in self.pieces])

    def box(self, angle: Numbers) -> Numbers:
        """About the corners."""
        places = turned(self.corners[None], angle[:, None])
        return np.concatenate([places.min(axis=1), places.max(axis=1)], axis=1)


def _convex_depth(corners: Numbers, x: Numbers, y: Numbers) -> Numbers:
    edges = np.roll(corners, -1, axis=0) - corners
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / np.linalg.norm(edges, axis=1, keepdims=True)
    offsets = (normals * corners).sum(axis=1)
    return np.maximum.reduce([a * x + b * y - c for (a, b), c in zip(normals.tolist(), offsets.tolist(), strict=True)])


def turned(places: Numbers, angle: Numbers) -> Numbers:
    """Places `[..., 2]`, turned about the origin by `[...]` degrees."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x, y = places[..., 0], places[..., 1]
    return np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)


def coverage(outline: Outline, centre: Numbers, radius: Numbers, angle: Numbers, pixels: int) -> NDArray[np.float32]:
    """How much of each pixel the shape covers, `[n, pixels, pixels]` of lines and columns, in steps of 1 / 64.

    Args:
        outline: the shape.
        centre: `[n, 2]`, in pixels.
        radius: `[n]`, how far the shape reaches, in pixels.
        angle: `[n]`, degrees.
        pixels: along each side of the image.
    """
    drawn = np.zeros((len(radius), pixels, pixels), np.float32)
    for start in range(0, len(radius), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        places = (each[some].astype(np.float32) for each in (centre, radius, angle))
        drawn[some] = _covered(outline, pixels, *places)
    return drawn


def _covered(outline: Outline, pixels: int, centre: Numbers, radius: Numbers, angle: Numbers) -> NDArray[np.float32]:
    """Of pixels that the outline can reach, the share of points; of all others their middles tell."""
    middles = np.arange(pixels, dtype=np.float32) + np.float32(0.5)
    right, down = middles - centre[:, :1], middles - centre[:, 1:]
    depth = _depth(outline, right[:, None, :], down[:, :, None], radius[:, None, None], angle[:, None, None])
    covered = (depth < 0).astype(np.float32)
    image, row, column = np.nonzero(np.abs(depth) < math.sqrt(0.5))
    within = ((np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5).astype(np.float32)
    x = right[image, column][:, None, None] + within
    y = down[image, row][:, None, None] + within[:, None]
    inside = _depth(outline, x, y, radius[image, None, None], angle[image, None, None]) < 0
    covered[image, row, column] = inside.mean(axis=(1, 2), dtype=np.float32)
    return covered


def _depth(outline: Outline, x: Numbers, y: Numbers, radius: Numbers, angle: Numbers) -> Numbers:
    """The depth, in pixels, of places about the centre of a shape of that radius and angle."""
    cos, sin = np.cos(np.radians(angle)) / radius, np.sin(np.radians(angle)) / radius
    return outline.depth(cos * x - sin * y, sin * x + cos * y) * radius


def _rectangle(width: float, height: float) -> Numbers:
    return np.array([[width, -height], [-width, -height], [-width, height], [width, height]]) / 2


def _cross() -> Polygon:
    """Five equal squares of which the outermost corners have the distance 1."""
    width = 1 / math.sqrt(2.5)
    arm = np.array([[0.5, -1.5], [-0.5, -1.5], [-0.5, -0.5]]) * width
    corners = np.concatenate([turned(arm, np.full(3, 90.0 * quarter)) for quarter in range(4)])
    return Polygon(corners, (_rectangle(width, 3 * width), _rectangle(3 * width, width)), 90.0)


_SQUARE = _rectangle(math.sqrt(2), math.sqrt(2))
_TRIANGLE = turned(np.array([0.0, -1.0]), np.array([0.0, 120.0, 240.0]))

OUTLINES: dict[str, Outline] = {
    "circle": Disc(),
    "square": Polygon(_SQUARE, (_SQUARE,), 90.0),
    "triangle": Polygon(_TRIANGLE, (_TRIANGLE,), 120.0),
    "cross": _cross(),
}
"""The shapes by name. At the angle 0 the square and the cross have level edges, and the triangle a corner on top."""
