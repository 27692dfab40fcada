"""Images of one shape each, of which everything is known: class, factors, words and places."""

from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from paribus.data.annotations import Annotations
from paribus.data.classification import ClassificationData, RawClasses, RawImages
from paribus.data.contract import Part, Split
from paribus.data.label_noise import LabelNoise
from paribus.data.outlines import OUTLINES, coverage, turned
from paribus.data.pixels import PixelScalingKind
from paribus.data.splitting import consecutive
from paribus.streams import stream_seed
from paribus.supplied import Supplied

SHAPES = tuple(OUTLINES)
PERIODS = np.array([outline.period for outline in OUTLINES.values()])
COLOURS = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "magenta": (1, 0, 1),
    "cyan": (0, 1, 1),
}
FACTORS = ("shape", "colour", "size", "x", "y", "angle")
SMALLEST, LARGEST = 0.14, 0.28
"""How far a shape may reach from its centre, in sides of the image. The centre of each keeps the largest such distance
from the border: so no shape is cut off, and where it is does not depend on its size."""
WHITE = 255

SIZES = ("small", "medium", "large")
PLACES = (
    ("at the top left", "at the top", "at the top right"),
    ("at the left", "in the centre", "at the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)
NAMED_ANGLES = 15
"""Captions tell the angle to the nearest multiple of so many degrees."""


class Shapes(ClassificationData):
    """A circle, square, triangle or cross in one of six colours on black, and what is known of it; 3 channels.

    Factors are independent and uniform: `shape` and `colour` as positions in their lists; `size`, how far the shape
    reaches from its centre, .14 to .28, and `x` and `y` of its centre (also of gravity), .28 to .72, in sides of the
    image; `angle`, counter-clockwise in degrees, from 0 to below the turn that changes nothing, which is 90 for squares
    and crosses and 120 for triangles. A circle has no angle: its factor is 0. They do not depend on `pixels`, so one
    seed shows the same scenes at each resolution. Pixels on an outline are mixed as the shape covers them.

    Another seed draws all images anew. The label is the shape.

    Args:
        n_train, n_validation, n_test: images a part; `n_validation` may be 0.
        pixels: along each side of an image, at least 8.
        batch_size, label_noise, seed: see `ClassificationData`.
        input_scaling: `none` (pixels in [0, 1]), `standard`, `symmetric` (in [-1, 1]), `binary` or `dynamic` (see
            `binarisation`).

    Attributes:
        annotations: of each part, after `setup`.
    """

    replication = "fresh"
    scalings = get_args(PixelScalingKind)

    def __init__(
        self,
        n_train: int,
        n_validation: int,
        n_test: int,
        pixels: int,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: PixelScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(batch_size, label_noise, input_scaling, seed)
        least = {"n_train": 2, "n_validation": 0, "n_test": 1, "pixels": 8}
        for (name, lowest), value in zip(least.items(), (n_train, n_validation, n_test, pixels), strict=True):
            if value < lowest:
                raise ValueError(f"{name} is {value}, expected at least {lowest}")
        self.counts, self.pixels = (n_train, n_validation, n_test), pixels
        self.annotations: dict[Part, Annotations] = {}

    def prepare(self) -> None:
        """Fill `parts` and `annotations`."""
        super().prepare()
        self.annotations = {part: self._known.take(torch.from_numpy(rows)) for part, rows in self.rows.items()}
        del self._known

    def load(self) -> RawImages:
        """Draw all images from the stream `split`."""
        factors = draw_factors(np.random.default_rng(stream_seed(self.seed, "split")), sum(self.counts))
        self._known = annotated(factors, self.pixels)
        colours = WHITE * np.array(list(COLOURS.values()))[factors[:, 1].astype(int)]
        images = np.rint(self._known.masks.numpy() * colours[:, :, None, None].astype(np.float32)).astype(np.uint8)
        return RawImages(images, factors[:, 0].astype(np.int64), SHAPES, WHITE)

    def split(self, raw: RawClasses) -> Split:
        """The rows in the order in which they were drawn."""
        return consecutive(*self.counts)


def draw_factors(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """`[n, factors]`, the columns of `FACTORS`."""
    shape, colour = rng.integers(len(SHAPES), size=n), rng.integers(len(COLOURS), size=n)
    size, (x, y) = rng.uniform(SMALLEST, LARGEST, n), rng.uniform(LARGEST, 1 - LARGEST, (2, n))
    return np.stack([shape, colour, size, x, y, rng.random(n) * PERIODS[shape]], axis=1)


def annotated(factors: NDArray[np.float64], pixels: int) -> Annotations:
    """What is known of images with these factors, `pixels` along each side."""
    n, points = len(factors), 1 + max(len(outline.corners) for outline in OUTLINES.values())
    size, centre, angle = factors[:, 2] * pixels, factors[:, 3:5] * pixels, factors[:, 5]
    masks, boxes = np.zeros((n, 1, pixels, pixels), np.float32), np.zeros((n, 4))
    key_points = np.full((n, points, 2), np.nan)
    key_points[:, 0] = centre
    for number, outline in enumerate(OUTLINES.values()):
        own = np.flatnonzero(factors[:, 0] == number)
        masks[own, 0] = coverage(outline, centre[own], size[own], angle[own], pixels)
        boxes[own] = np.tile(centre[own], 2) + size[own, None] * outline.box(angle[own])
        corners = turned(outline.corners[None], angle[own, None])
        key_points[own, 1 : 1 + len(outline.corners)] = centre[own, None] + size[own, None, None] * corners
    return Annotations(
        factors=torch.from_numpy(factors),
        factor_names=FACTORS,
        values={"shape": SHAPES, "colour": tuple(COLOURS)},
        periods={"angle": tuple(PERIODS.tolist())},
        captions=tuple(caption(row) for row in factors),
        masks=torch.from_numpy(masks),
        boxes=torch.from_numpy(boxes).float(),
        key_points=torch.from_numpy(key_points).float(),
    )


def caption(factors: NDArray[np.float64]) -> str:
    """`a small red square at the top left, turned by 30 degrees`, of one image's factors.

    Sizes and places are named by the third of their range that they lie in, an angle by the nearest multiple of 15
    degrees; a shape that is upright by that, and a circle, is told no angle.
    """
    shape, colour, size, x, y, angle = factors.tolist()
    name = SHAPES[int(shape)]
    place = PLACES[_third(y, LARGEST, 1 - LARGEST)][_third(x, LARGEST, 1 - LARGEST)]
    words = f"a {SIZES[_third(size, SMALLEST, LARGEST)]} {tuple(COLOURS)[int(colour)]} {name} {place}"
    period = OUTLINES[name].period
    degrees = round(angle / NAMED_ANGLES) * NAMED_ANGLES % period if period else 0
    return f"{words}, turned by {degrees:.0f} degrees" if degrees else words


def _third(value: float, low: float, high: float) -> int:
    return min(2, int(3 * (value - low) / (high - low)))
