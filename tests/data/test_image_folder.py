"""Folders of images written here: what is read, and what is said of a folder that cannot be used."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from paribus.data import ImageFolder, LabelNoise
from paribus.errors import UserError

RNG = np.random.default_rng(0)


def write(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 5, size=(4, 6)) -> Path:
    """`count` colour images a class, named 0.png and so on, without loss."""
    for name in classes:
        (folder / name).mkdir()
        for number in range(count):
            Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")
    return folder


def data(folder: Path, **changes) -> ImageFolder:
    arguments = {
        "path": str(folder), "size": None, "colour": "rgb", "test_fraction": 0.2, "validation_fraction": 0.2,
        "batch_size": 4, "input_scaling": "none",
    }  # fmt: skip
    data = ImageFolder(**(arguments | changes), label_noise=LabelNoise(0.0, "symmetric"), seed=0)
    data.setup()
    return data


def test_each_image_is_read_with_its_class(tmp_path: Path) -> None:
    found = data(write(tmp_path))
    assert found.facts() == {
        "in_features": 72, "in_shape": (3, 4, 6), "out_features": 2, "out_shape": (2,), "examples": 6,
    }  # fmt: skip
    assert found.sizes() == {"train": 6, "validation": 2, "test": 2}
    assert (found.classes, found.replication) == (("cat", "dog"), "resplit")
    for row in range(10):
        file = tmp_path / found.classes[found.raw.label[row]] / f"{row % 5}.png"
        np.testing.assert_array_equal(found.raw.inputs[row].transpose(1, 2, 0), np.asarray(Image.open(file)))
    expected = torch.from_numpy(found.raw.inputs[found.rows["test"]] / np.float32(255))
    assert torch.equal(found.parts["test"]["x"], expected)


def test_numbers_are_ordered_as_numbers(tmp_path: Path) -> None:
    assert data(write(tmp_path, ("10", "9", "1"))).classes == ("1", "9", "10")


def test_grey_is_the_luminance(tmp_path: Path) -> None:
    """ITU-R 601-2: .299 R + .587 G + .114 B, to within rounding."""
    found = data(write(tmp_path), colour="grey")
    colours = data(tmp_path).raw.inputs.astype(np.float64)
    luminance = np.einsum("nchw,c->nhw", colours, [0.299, 0.587, 0.114])
    assert found.in_shape == (1, 4, 6)
    assert np.abs(found.raw.inputs[:, 0] - luminance).max() <= 1


def test_formats_and_kinds_of_colour_are_converted(tmp_path: Path) -> None:
    """The same two even grey images in every format, in colour, with transparency, and with a palette."""
    for name, grey in (("dark", 40), ("light", 200)):
        (tmp_path / name).mkdir()
        even = Image.new("L", (8, 8), grey)
        for suffix in ("png", "JPG", "jpeg", "bmp", "tif", "tiff", "webp", "pgm"):
            even.save(tmp_path / name / f"grey.{suffix}", "PPM" if suffix == "pgm" else None)
        even.convert("RGB").save(tmp_path / name / "colour.ppm")
        even.convert("RGBA").save(tmp_path / name / "transparent.png")
        even.convert("P").save(tmp_path / name / "palette.png")
        (tmp_path / name / ".DS_Store").write_text("passed over")
        (tmp_path / name / "Thumbs.db").write_text("passed over")
    found = data(tmp_path)
    assert len(found.raw.label) == 22
    expected = np.where(found.raw.label == 0, 40.0, 200.0)[:, None, None, None]
    assert np.abs(found.raw.inputs - expected).max() <= 3  # jpeg and webp are not exact


def test_a_note_of_the_orientation_is_followed(tmp_path: Path) -> None:
    write(tmp_path)
    image = Image.open(tmp_path / "cat" / "0.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise when shown
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "cat" / "0.png", exif=exif)
    np.testing.assert_array_equal(data(tmp_path).raw.inputs[0].transpose(1, 2, 0), np.asarray(image))


def test_images_are_resized_to_height_and_width(tmp_path: Path) -> None:
    write(tmp_path)
    Image.new("RGB", (20, 30), (10, 20, 30)).save(tmp_path / "dog" / "0.png")
    with pytest.raises(UserError, match=r"dog/0.png has 30 x 20 pixels .* and .*cat/0.png 4 x 6 pixels.*data.size="):
        data(tmp_path)
    found = data(tmp_path, size=[3, 5])
    assert found.in_shape == (3, 3, 5)
    np.testing.assert_array_equal(found.raw.inputs[5], np.broadcast_to([[[10]], [[20]], [[30]]], (3, 3, 5)))


def test_halving_the_size_averages(tmp_path: Path) -> None:
    """Each pixel of a half-size image is a weighted mean of those about it: even areas stay, and so does the mean."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pixels = np.zeros((16, 16), dtype=np.uint8)
        pixels[:, 8:] = 240
        for number in range(3):
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    half = data(tmp_path, size=[8, 8], colour="grey").raw.inputs[0, 0]
    assert (half[:, :3] == 0).all()
    assert (half[:, 5:] == 240).all()
    assert half.mean() == pytest.approx(120, abs=1)


def damage(folder: Path, name: str) -> None:
    """One mistake in a good folder."""
    file = folder / "cat" / "0.png"
    content = file.read_bytes()
    {
        "truncated": lambda: file.write_bytes(content[: len(content) // 2]),
        "no_image": lambda: file.write_text("not an image"),
        "deep": lambda: Image.fromarray(np.full((4, 6), 40_000, dtype=np.uint16)).save(file),
        "unknown": lambda: file.rename(folder / "cat" / "0.heic"),
        "text": lambda: (folder / "cat" / "notes.txt").write_text("notes"),
        "nested": lambda: (folder / "cat" / "more").mkdir(),
        "loose": lambda: file.rename(folder / "0.png"),
        "empty_class": lambda: (folder / "bird").mkdir(),
        "one_class": lambda: (folder / "dog").rename(folder / ".dog"),
        "lonely": lambda: [(folder / "dog" / f"{number}.png").unlink() for number in range(4)],
    }[name]()


BAD = {
    "truncated": r"cat/0.png cannot be read as an image: ",
    "no_image": r"cat/0.png cannot be read as an image: cannot identify",
    "deep": r"cat/0.png has more than 8 bits a channel \(mode I;16\)",
    "unknown": r"cat/0.heic is no image of a known format, expected one of \.png, ",
    "text": r"cat/notes.txt is no image",
    "nested": r"cat/more is a folder within a class",
    "loose": r"0.png belongs to no class, expected images in sub-folders",
    "empty_class": r"bird is empty, expected the images of a class, or no such folder",
    "one_class": r"has 1 sub-folder, expected one for each of at least 2 classes",
    "lonely": r"class 'dog' has 1 example, too few",
}


@pytest.mark.parametrize("name", BAD)
def test_a_folder_that_cannot_be_used_is_told_why(tmp_path: Path, name: str) -> None:
    damage(write(tmp_path), name)
    with pytest.raises(UserError, match=BAD[name]):
        data(tmp_path)


def test_a_missing_folder_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "animals").mkdir()
    with pytest.raises(UserError, match=r"there is no such folder .* Did you mean 'animals'\?"):
        data(tmp_path / "animal")
    with pytest.raises(UserError, match=r"has 0 sub-folders"):
        data(tmp_path / "animals")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file, expected a folder with one sub-folder"):
        data(tmp_path / "file")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": [28]}, r"size is \[28\], expected \[height, width\]"),
        ({"size": [28, 0]}, r"size is \[28, 0\]"),
        ({"colour": "gray"}, "colour is 'gray', expected one of grey, rgb"),
        ({"input_scaling": "robust"}, "expected one of none, standard, symmetric, binary, dynamic"),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        data(tmp_path, **changes)
