"""Images with a published test part."""

from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from paribus.data.classification import ClassificationData, RawClasses, RawImages
from paribus.data.contract import Split
from paribus.data.label_noise import LabelNoise
from paribus.data.pixels import PixelScalingKind
from paribus.data.splitting import check_validation_fraction, naming
from paribus.data.stratified import stratified
from paribus.errors import UserError, nearest

Labelled = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images `[n, channels, height, width]` and their labels `[n]`."""


class PublishedImages(ClassificationData):
    """Images whose test part everybody shares; a random share of the training part, stratified, validates.

    Args:
        path: the folder of the files, relative to the working directory.
        validation_fraction: share of each class of the published training part kept for validation (stream `split`),
            in [0, 1).
        batch_size, label_noise, seed: see `ClassificationData`.
        input_scaling: `none` (pixels in [0, 1]), `standard`, `symmetric` (in [-1, 1]), `binary` or `dynamic` (see
            `binarisation`).
    """

    replication = "fixed"
    scalings = get_args(PixelScalingKind)

    def __init__(
        self,
        path: str,
        validation_fraction: float,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: PixelScalingKind,
        seed: int,
    ) -> None:
        super().__init__(batch_size, label_noise, input_scaling, seed)
        check_validation_fraction(validation_fraction)
        self.path, self.validation_fraction = path, validation_fraction

    def read(self, folder: Path) -> tuple[Labelled, Labelled, tuple[str, ...]]:
        """The published training and test parts, in the order of the files, and the names of the classes."""
        raise NotImplementedError(f"{type(self).__name__} must implement read")

    def load(self) -> RawImages:
        """The images of both parts, those to train on first."""
        train, test, classes = self.read(self._folder())
        self._published = len(train[1])
        return RawImages(np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]]), classes, peak=255)

    def split(self, raw: RawClasses) -> Split:
        """The published test rows; the published training rows, of which a random share of each class validates."""
        with naming(self.path):
            split = stratified(raw.label[: self._published], raw.classes, 0.0, self.validation_fraction, self.seed)
        return {
            "train": split["train"],
            "validation": split["validation"],
            "test": np.arange(self._published, len(raw.label)),
        }

    def _folder(self) -> Path:
        folder = Path(self.path).expanduser()
        if not folder.is_dir():
            siblings = [file.name for file in folder.parent.glob("*") if file.is_dir()]
            what = "a file, expected a folder" if folder.is_file() else "there is no such folder"
            raise UserError(f"data.path={folder}: {what}.{nearest(folder.name, siblings)} {self.remedy(folder)}")
        return folder

    def remedy(self, folder: Path) -> str:
        """Where the files come from, and which choices of data need none."""
        raise NotImplementedError(f"{type(self).__name__} must implement remedy")


EMBEDDED = "data=mnist5k and data=digits need no file."
