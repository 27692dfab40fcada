"""A folder of images, one sub-folder a class."""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from paribus.data.classification import RawClasses, RawImages, class_order
from paribus.data.contract import Split
from paribus.data.label_noise import LabelNoise
from paribus.data.pixels import PixelScalingKind
from paribus.data.splitting import naming
from paribus.data.stratified import ResplitImages
from paribus.errors import UserError, nearest
from paribus.study.files import IMAGES
from paribus.supplied import Supplied

Colour = Literal["grey", "rgb"]
MODES: dict[Colour, str] = {"grey": "L", "rgb": "RGB"}
DEEP_MODES = ("I", "F")
"""How the names of Pillow's modes begin that hold more than 8 bits a channel."""

LEFT_BY_VIEWERS = ("thumbs.db", "desktop.ini")


class ImageFolder(ResplitImages):
    """Images of any common format in a folder, one sub-folder a class, split again at random for every seed.

    Images lie in the sub-folders themselves and not deeper; what begins with a dot is passed over. Labels follow the
    order of the sub-folders' names (of numbers, where all are). Transparency is ignored; a camera's note of the
    orientation is followed. All images are held in memory.

    Args:
        path: the folder, relative to the working directory.
        size: height and width in pixels, to which each image is resized (bilinear, aspect ratio not kept); None where
            all have one size already.
        colour: `grey` (1 channel) or `rgb` (3), into which images are converted.
        test_fraction, validation_fraction, batch_size, label_noise, input_scaling, seed: see `ResplitImages`.

    Raises:
        UserError: on `setup`, for a folder or an image that cannot be used.
    """

    def __init__(
        self,
        path: str,
        size: list[int] | None,
        colour: Colour,
        test_fraction: float,
        validation_fraction: float,
        batch_size: int,
        label_noise: LabelNoise,
        input_scaling: PixelScalingKind,
        seed: Supplied[int],
    ) -> None:
        super().__init__(test_fraction, validation_fraction, batch_size, label_noise, input_scaling, seed)
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise ValueError(f"size is {list(size)}, expected [height, width], each at least 1, or null")
        if colour not in MODES:
            raise ValueError(f"colour is {colour!r}, expected one of {', '.join(get_args(Colour))}")
        self.path, self.colour = path, colour
        self.size = None if size is None else (size[0], size[1])

    def load(self) -> RawImages:
        """Read, convert and resize every image."""
        files = self._files(Path(self.path).expanduser())
        classes = class_order(files)
        images: list[NDArray[np.uint8]] = []
        label: list[int] = []
        for number, name in enumerate(classes):
            for file in files[name]:
                image = read_image(file, self.colour, self.size)
                if images and image.shape != images[0].shape:
                    first = files[classes[0]][0]
                    raise UserError(
                        f"{file} has {_pixels(image)} (height x width) and {first} {_pixels(images[0])}, expected one "
                        "size; resize all of them with data.size=[height,width]"
                    )
                images.append(image)
                label.append(number)
        return RawImages(np.stack(images), np.array(label), classes, peak=255)

    def split(self, raw: RawClasses) -> Split:
        """As for every set; a mistake names the folder."""
        with naming(self.path):
            return super().split(raw)

    def _files(self, folder: Path) -> dict[str, list[Path]]:
        """The images of each class, by its name."""
        if not folder.is_dir():
            siblings = [file.name for file in folder.parent.glob("*") if file.is_dir()]
            what = "a file, expected a folder" if folder.is_file() else "there is no such folder"
            raise UserError(
                f"data.path={folder}: {what} with one sub-folder of images a class.{nearest(folder.name, siblings)}"
            )
        entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
        loose = [entry for entry in entries if entry.suffix.lower() in IMAGES and entry.is_file()]
        if loose:
            raise UserError(f"{loose[0]} belongs to no class, expected images in sub-folders of {folder}, one a class")
        classes = {entry.name: _images(entry) for entry in entries if entry.is_dir()}
        if len(classes) < 2:
            raise UserError(
                f"data.path={folder} has {len(classes)} sub-folder{'s' * (len(classes) != 1)}, expected one for each "
                "of at least 2 classes"
            )
        return classes


def _images(folder: Path) -> list[Path]:
    """The files of a class, by name."""
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    files = [entry for entry in entries if entry.name.lower() not in LEFT_BY_VIEWERS]
    for file in files:
        if file.is_dir():
            raise UserError(f"{file} is a folder within a class, expected images in {folder} itself")
        if file.suffix.lower() not in IMAGES:
            raise UserError(f"{file} is no image of a known format, expected one of {', '.join(IMAGES)}")
    if not files:
        raise UserError(f"{folder} is empty, expected the images of a class, or no such folder")
    return files


def read_image(file: Path, colour: Colour, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """An image as `[channels, height, width]`, resized to (height, width) where those are given.

    Raises:
        UserError: it cannot be read, or has more than 8 bits a channel.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            if opened.mode.startswith(DEEP_MODES):
                raise UserError(f"{file} has more than 8 bits a channel (mode {opened.mode}); convert it to 8 bits")
            image = ImageOps.exif_transpose(opened).convert(MODES[colour])
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{file} cannot be read as an image: {error}") from None
    if size is not None and image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _pixels(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]} x {image.shape[2]} pixels"
