"""CIFAR-10 and CIFAR-100 in their binary version."""

from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from paribus.data.label_noise import LabelNoise
from paribus.data.pixels import PixelScalingKind
from paribus.data.published import EMBEDDED, Labelled, PublishedImages
from paribus.errors import UserError, nearest
from paribus.supplied import Supplied

CifarLabels = Literal["cifar10", "cifar100", "cifar100_coarse"]

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32


class Layout(NamedTuple):
    """Where the images and labels of a set are: each record is some bytes of labels and the pixels.

    Attributes:
        train, test: names of files.
        label_bytes: labels a record.
        label_at: which of them.
        classes: how many classes.
        names: the file that names them.
    """

    train: tuple[str, ...]
    test: str
    label_bytes: int
    label_at: int
    classes: int
    names: str


LAYOUTS: dict[CifarLabels, Layout] = {
    "cifar10": Layout(
        tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", 1, 0, 10, "batches.meta.txt"
    ),
    "cifar100": Layout(("train.bin",), "test.bin", 2, 1, 100, "fine_label_names.txt"),
    "cifar100_coarse": Layout(("train.bin",), "test.bin", 2, 0, 20, "coarse_label_names.txt"),
}


class Cifar(PublishedImages):
    """50,000 colour images to train on and 10,000 to test on, 3 x 32 x 32 pixels, in the files of the binary version.

    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    Args:
        path: the folder, relative to the working directory, into which the archive was unpacked: it holds
            `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or `train.bin` and `test.bin`.
        labels: `cifar10`, `cifar100` (its 100 classes) or `cifar100_coarse` (the 20 classes of these).
        validation_fraction, batch_size, label_noise, input_scaling, seed: see `PublishedImages`.

    Raises:
        UserError: on `setup`, for a file that is missing, truncated or of another kind.
    """

    def __init__(
        self,
        path: str,
        labels: CifarLabels,
        validation_fraction: float,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: PixelScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(path, validation_fraction, batch_size, label_noise, input_scaling, seed)
        if labels not in LAYOUTS:
            raise ValueError(f"labels is {labels!r}, expected one of {', '.join(get_args(CifarLabels))}")
        self.labels = labels

    def read(self, folder: Path) -> tuple[Labelled, Labelled, tuple[str, ...]]:
        """The records of all files."""
        layout = LAYOUTS[self.labels]
        for name in (*layout.train, layout.test):
            if not (folder / name).is_file():
                raise UserError(
                    f"there is no file {name} in {folder} (data.path, data.labels={self.labels})."
                    f"{nearest(name, [file.name for file in folder.iterdir()])} {self.remedy(folder)}"
                )
        parts = [_records(folder / name, layout) for name in layout.train]
        train = np.concatenate([images for images, _ in parts]), np.concatenate([label for _, label in parts])
        return train, _records(folder / layout.test, layout), _names(folder / layout.names, layout.classes)

    def remedy(self, folder: Path) -> str:
        """What puts the files there."""
        fetched = "cifar10" if self.labels == "cifar10" else "cifar100"
        return (
            "Unpack the binary version of the set there, all files in that folder, or fetch it: "
            f"python -m paribus.data.download {fetched} {folder}. {EMBEDDED}"
        )


def _records(path: Path, layout: Layout) -> Labelled:
    content, length = np.fromfile(path, dtype=np.uint8), layout.label_bytes + PIXELS
    if len(content) == 0 or len(content) % length:
        raise UserError(
            f"{path} has {len(content)} bytes, expected a multiple of {length}, one record an image; "
            "it is truncated or of another set: fetch it anew"
        )
    records = content.reshape(-1, length)
    label = records[:, layout.label_at].astype(np.int64)
    if label.max() >= layout.classes:
        raise UserError(
            f"{path}: the label of image {int(label.argmax())} is {label.max()}, expected less than {layout.classes}; "
            "is it of another set (data.labels)?"
        )
    return records[:, layout.label_bytes :].reshape(-1, *SHAPE), label


def _names(path: Path, classes: int) -> tuple[str, ...]:
    """The names of the classes in a file of one a line; numbers where there is no such file."""
    if not path.is_file():
        return tuple(map(str, range(classes)))
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = tuple(line.strip() for line in lines if line.strip())
    if len(set(names)) != classes or len(names) != classes:
        raise UserError(
            f"{path} names {len(set(names))} different classes, expected {classes}, each on a line of its own"
        )
    return names
