"""Scaling of images: one mean and one standard deviation a channel."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from paribus.data.scaling import ROUNDING

PixelScalingKind = Literal["none", "standard", "symmetric", "binary", "dynamic"]
"""`binary` and `dynamic` are scaled as `none` is, after a draw of black or white pixels: see `binarisation`."""

AT_ONCE = 2048
"""Images that are counted at once: counting makes 8 bytes of each pixel."""


@dataclass(frozen=True)
class PixelScaling:
    """`scaled = (pixel - center) / scale`, channel by channel, in float32.

    Attributes:
        center: `[channels]`, in units of the raw pixels.
        scale: likewise, above 0.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, images: NDArray[np.uint8], peak: int, kind: str) -> "PixelScaling":
        """Scaling of `[n, channels, height, width]`.

        Args:
            images: raw pixels. Their moments are taken from a histogram a channel: exact, and without a copy of them.
            peak: the value of a white pixel.
            kind: `standard` gives each channel mean 0 and standard deviation 1 (divisor n), and a constant channel is
                centred and divided by the peak; `symmetric` maps pixels to [-1, 1], where a tanh ends; the other kinds
                of `PixelScalingKind` map them to [0, 1].
        """
        if kind not in get_args(PixelScalingKind):
            raise ValueError(f"scaling is {kind!r}, expected one of {', '.join(get_args(PixelScalingKind))} for images")
        channels = images.shape[1]
        if kind == "symmetric":
            return cls(np.full(channels, peak / 2), np.full(channels, peak / 2))
        if kind != "standard":
            return cls(np.zeros(channels), np.full(channels, float(peak)))
        counts = np.zeros((channels, 256))
        for start in range(0, len(images), AT_ONCE):
            counts += _counts(images[start : start + AT_ONCE])
        share, value = counts / counts.sum(axis=1, keepdims=True), np.arange(256.0)
        center = share @ value
        spread = np.sqrt((share * (value - center[:, None]) ** 2).sum(axis=1))
        return cls(center, np.where(spread > ROUNDING, spread, float(peak)))

    def apply(self, images: NDArray[np.generic]) -> NDArray[np.float32]:
        """Raw `[n, channels, height, width]` as a network takes them."""
        scaled = images.astype(np.float32)
        scaled -= self.center.astype(np.float32)[:, None, None]
        scaled /= self.scale.astype(np.float32)[:, None, None]
        return scaled

    def undo(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """The raw `[n, channels, height, width]` of scaled ones, not rounded."""
        return self.center[:, None, None] + self.scale[:, None, None] * scaled


def _counts(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each value occurs in each channel: `[channels, 256]`."""
    return np.stack([np.bincount(channel.ravel(), minlength=256) for channel in images.swapaxes(0, 1)])
