"""Grey images as draws of black and white ones: static stochastic binarisation.

A likelihood of numbers that are 0 or 1 has no density at a grey value, so a grey value is read as the probability of
white. Numbers on one draw (`binary`), on a training part drawn anew at each step (`dynamic`) and on the draw that some
papers share as a file are not comparable: Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders" (2016),
report the last two apart.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from paribus.data.contract import Part
from paribus.streams import stream_seed

DRAWN: Mapping[str, tuple[Part, ...]] = {
    "binary": ("train", "validation", "test"),
    "dynamic": ("validation", "test"),
}
"""The parts of which a scaling of images takes one draw; those of other scalings stay grey."""


def binarised(images: NDArray[np.uint8], peak: int, seed: int) -> NDArray[np.uint8]:
    """Each pixel black (0) or white (peak), white with probability grey / peak exactly and independent of all others.

    Args:
        images: `[n, channels, height, width]`, all images of a source in its order, so that one and the same image is
            drawn alike whichever part it falls into.
        peak: the value of a white pixel.
        seed: the run's seed; pixels come from its stream `corruption/pixels`.
    """
    rng = np.random.default_rng(stream_seed(seed, "corruption", "pixels"))
    drawn = rng.integers(peak, size=images.shape, dtype=np.uint8)
    return np.where(drawn < images, np.uint8(peak), np.uint8(0))
