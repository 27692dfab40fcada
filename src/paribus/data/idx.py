"""MNIST and what is passed on in its format: four idx files of images and labels."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.data.label_noise import LabelNoise
from paribus.data.pixels import PixelScalingKind
from paribus.data.published import EMBEDDED, Labelled, PublishedImages
from paribus.errors import UserError
from paribus.supplied import Supplied

UNSIGNED_BYTES = 8
"""The code of the only type of number that images and labels come in."""


class Idx(PublishedImages):
    """Grey images and labels in four idx files: MNIST, Fashion-MNIST and others of their format.

    The folder holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    `t10k-labels-idx1-ubyte`, each as it is or packed, with `.gz` behind; `train-images.idx3-ubyte` is found as well.

    Source of the format: LeCun, Cortes, Burges, "The MNIST database of handwritten digits".

    Args:
        path: the folder, relative to the working directory.
        classes: names of the classes, in the order of the labels; None for the numbers in the files.
        validation_fraction, batch_size, label_noise, input_scaling, seed: see `PublishedImages`.

    Raises:
        UserError: on `setup`, for a file that is missing, truncated or of another kind.
    """

    def __init__(
        self,
        path: str,
        classes: list[str] | None,
        validation_fraction: float,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: PixelScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(path, validation_fraction, batch_size, label_noise, input_scaling, seed)
        if classes is not None and (len(classes) < 2 or len(set(classes)) < len(classes)):
            raise ValueError(f"classes is {list(classes)}, expected at least 2 different names, or null")
        self.class_names = None if classes is None else tuple(classes)

    def read(self, folder: Path) -> tuple[Labelled, Labelled, tuple[str, ...]]:
        """The four files."""
        train, test = self._part(folder, "train"), self._part(folder, "t10k")
        if train[0].shape[1:] != test[0].shape[1:]:
            raise UserError(
                f"{folder}: training images of {train[0].shape[2]} x {train[0].shape[3]} pixels and test images of "
                f"{test[0].shape[2]} x {test[0].shape[3]}, expected one size"
            )
        if self.class_names is None:
            return _numbered(folder, train, test)
        largest = int(max(train[1].max(), test[1].max()))
        if largest >= len(self.class_names):
            raise UserError(f"{folder}: a label is {largest}, but data.classes names {len(self.class_names)} classes")
        return train, test, self.class_names

    def _part(self, folder: Path, part: str) -> Labelled:
        images_file, labels_file = self._find(folder, f"{part}-images", 3), self._find(folder, f"{part}-labels", 1)
        images, label = read_idx(images_file, 3), read_idx(labels_file, 1)
        if len(images) != len(label):
            raise UserError(f"{images_file} has {len(images)} images and {labels_file.name} {len(label)} labels")
        return images[:, None], label.astype(np.int64)

    def _find(self, folder: Path, stem: str, dimensions: int) -> Path:
        names = [f"{stem}{mark}idx{dimensions}-ubyte{packed}" for packed in ("", ".gz") for mark in "-."]
        for name in names:
            if (folder / name).is_file():
                return folder / name
        raise UserError(f"there is no file {names[0]} or {names[2]} in {folder} (data.path). {self.remedy(folder)}")

    def remedy(self, folder: Path) -> str:
        """What puts the files there."""
        return (
            "Put the four idx files there, packed or not, or fetch them: python -m paribus.data.download mnist (or "
            f"fashion_mnist) {folder}. {EMBEDDED}"
        )


def _numbered(folder: Path, train: Labelled, test: Labelled) -> tuple[Labelled, Labelled, tuple[str, ...]]:
    """Both parts with labels from 0 without a gap, and as names the numbers in the files, which need not begin at 0."""
    numbers = np.unique(train[1])
    unknown = np.setdiff1d(test[1], numbers)
    if len(unknown):
        raise UserError(f"{folder}: no training image has the label {unknown[0]}, but a test image has")
    if len(numbers) < 2:
        raise UserError(f"{folder}: every training label is {numbers[0]}, so there is nothing to learn")
    labelled = [(images, np.searchsorted(numbers, label)) for images, label in (train, test)]
    return labelled[0], labelled[1], tuple(map(str, numbers.tolist()))


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an idx file.

    Args:
        path: the file, packed if it ends in .gz.
        dimensions: how many the array must have.

    Raises:
        UserError: the file is of another kind, too short or too long.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be unpacked ({error}); fetch the file anew") from None
    magic, header = bytes([0, 0, UNSIGNED_BYTES, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic:
        raise UserError(
            f"{path} begins with the bytes {content[:4].hex(' ') or 'of nothing'}, expected {magic.hex(' ')}: an idx "
            f"file of unsigned bytes in {dimensions} dimension{'s' if dimensions > 1 else ''}"
        )
    shape = tuple(np.frombuffer(content[4:header], dtype=">u4").tolist()) if len(content) >= header else ()
    expected = header + math.prod(shape)
    if len(shape) < dimensions or len(content) != expected:
        raise UserError(
            f"{path} has {len(content)} bytes{'' if path.suffix != '.gz' else ' unpacked'}, expected {expected} for "
            f"its header; it is {'truncated' if len(content) < expected or not shape else 'no idx file'}: fetch it anew"
        )
    if math.prod(shape) == 0:
        raise UserError(f"{path} is empty: its header tells a size of {' x '.join(map(str, shape))}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)
