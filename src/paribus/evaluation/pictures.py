"""What the report draws of a latent-variable model: contact sheets as PNG, and a map of codes in the plane."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from paribus.data.classification import ClassificationData
from paribus.data.contract import InMemoryData
from paribus.evaluation.extent import extent_of
from paribus.families.latent import LatentFamily
from paribus.streams import stream_seed

GAP, GAP_SHADE = 1, 128
"""Pixels between the images of a sheet, and how bright they are, from 0 to 255."""
SAMPLE_ROWS, TRAVERSED, STEPS = 3, 6, 7
"""Rows of samples; features that are traversed; steps of each."""
REACH = 2.0
"""Standard deviations of the codes, either way from their mean, that a traversal spans."""
MOST_POINTS = 500
DIGITS = 4
"""Significant digits of a point of a map."""


def latent_drawing(
    family: LatentFamily, data: InMemoryData, code: Float[Tensor, "n features"], pictures: int, told: str
) -> dict[str, Any]:
    """The drawing of kind `latent`: pictures where examples are images of 1 or 3 channels, and a map.

    Args:
        family: evaluated.
        data: its test part is shown.
        code: of each example of the test part.
        pictures: examples in a row; 0 for no pictures.
        told: what the caption of the samples ends with.
    """
    shown = len(data.in_shape) == 3 and data.in_shape[0] in (1, 3) and pictures
    return {
        "kind": "latent",
        "pictures": [
            reconstructions(family, data, pictures),
            samples(family, data, pictures, told),
            traversals(family, data, code),
        ]
        if shown
        else [],
        "maps": [code_map(data, code)] if code.isfinite().all() else [],
    }


def reconstructions(family: LatentFamily, data: InMemoryData, columns: int) -> dict[str, Any]:
    """The first examples of the test part above what the decoder makes of their codes."""
    x = data.parts["test"]["x"][:columns]
    caption = "Above, examples of the test part; below, what is expected at their codes."
    return picture("reconstructions", "Reconstructions", caption, data, torch.stack([x, family.reconstruct(x)]))


def samples(family: LatentFamily, data: InMemoryData, columns: int, told: str) -> dict[str, Any]:
    """Expected examples at codes drawn from the prior."""
    generator = torch.Generator().manual_seed(stream_seed(data.seed, "evaluation", "pictures"))
    drawn = family.sample(SAMPLE_ROWS * columns, generator).reshape(SAMPLE_ROWS, columns, *data.in_shape)
    caption = f"What is expected at codes drawn from the prior. {told}".strip()
    return picture("samples", "Samples", caption, data, drawn)


def traversals(family: LatentFamily, data: InMemoryData, code: Float[Tensor, "n features"]) -> dict[str, Any]:
    """What is expected along the features whose codes vary the most; over a grid, where there are two."""
    mean, deviation = code.mean(dim=0), code.std(dim=0, correction=0)
    if code.shape[1] == 2:
        steps = torch.linspace(-REACH, REACH, STEPS).double()
        offset = torch.stack(torch.meshgrid(steps, steps.flip(0), indexing="xy"), dim=-1)  # [rows, columns, 2]
        caption = "What is expected on a grid of codes: the first feature from left to right, the second upwards"
    else:
        most = deviation.argsort(descending=True, stable=True)[:TRAVERSED]
        offset = torch.zeros(len(most), STEPS, code.shape[1]).double()
        offset[torch.arange(len(most)), :, most] = torch.linspace(-REACH, REACH, STEPS).double()
        numbers = ", ".join(str(int(feature) + 1) for feature in most)
        caption = f"What is expected along single features of the code, a row each (features {numbers})"
    caption += f", from {REACH:g} standard deviations of the test part's codes below their mean to {REACH:g} above."
    at = (mean + offset * deviation).to(next(family.parameters()))
    decoded = family.likelihood.mean(family.decode(at)).reshape(*offset.shape[:2], *data.in_shape)
    return picture("traversals", "Traversals", caption, data, decoded)


def code_map(data: InMemoryData, code: Float[Tensor, "n features"]) -> dict[str, Any]:
    """The codes of the test part in the plane, each with the number of its class; 0 where there are no classes."""
    points, label, classes = code[:MOST_POINTS], torch.zeros(len(code), dtype=torch.int64), ["test part"]
    if isinstance(data, ClassificationData):
        label, classes = torch.from_numpy(data.raw.label[data.rows["test"]]), list(data.classes)
    caption = "Codes of the test part, means where the encoder is a distribution"
    if code.shape[1] > 2:
        points, share = principal_plane(code)
        points = points[:MOST_POINTS]
        caption += f", along their first two principal components, which hold {100 * share:.0f} % of their variance"
    elif code.shape[1] == 1:
        points = torch.nn.functional.pad(points, (0, 1))
    rounded = [[float(f"{number:.{DIGITS}g}") for number in point] for point in points.tolist()]
    numbered = [[*point, number] for point, number in zip(rounded, label[: len(rounded)].tolist(), strict=True)]
    return {"name": "codes", "title": "Codes", "caption": f"{caption}.", "points": numbered, "classes": classes}


def principal_plane(code: Float[Tensor, "n features"]) -> tuple[Float[Tensor, "n 2"], float]:
    """Codes along the two directions in which they vary the most, and the share of the variance in these.

    The largest coefficient of a direction is positive, so that rounding does not mirror the plane.
    """
    centred = code - code.mean(dim=0)
    variance, directions = torch.linalg.eigh(centred.T @ centred)
    plane = directions[:, [-1, -2]]
    largest = plane.gather(0, plane.abs().argmax(dim=0, keepdim=True))
    total = variance.clamp(min=0).sum()
    share = (variance[-2:].clamp(min=0).sum() / total).item() if total > 0 else 1.0
    return centred @ (plane * largest.sign()), share


def picture(
    name: str, title: str, caption: str, data: InMemoryData, images: Float[Tensor, "rows columns channels height width"]
) -> dict[str, Any]:
    """A contact sheet as the report reads it, one pixel for each of an image's.

    Black and white are the ends of the data's extent, channel by channel; what lies outside is shown as the nearer end.
    """
    shares = extent_of(data).share(images.flatten(0, 1)).reshape(images.shape)
    return framed(name, title, caption, sheet((shares * 255).round().byte()))


def framed(name: str, title: str, caption: str, pixels: UInt8[Tensor, "channels height width"]) -> dict[str, Any]:
    """A picture as the report reads it."""
    return {
        "name": name,
        "title": title,
        "caption": caption,
        "png": b64encode(png(pixels)).decode("ascii"),
        "width": pixels.shape[2],
        "height": pixels.shape[1],
    }


def sheet(
    images: UInt8[Tensor, "rows columns channels height width"],
) -> UInt8[Tensor, "channels sheet_height sheet_width"]:
    """Images side by side, with a line between them and none around."""
    padded = torch.nn.functional.pad(images, (0, GAP, 0, GAP), value=GAP_SHADE)
    rows, columns, channels, height, width = padded.shape
    return padded.permute(2, 0, 3, 1, 4).reshape(channels, rows * height, columns * width)[:, :-GAP, :-GAP]


def png(pixels: UInt8[Tensor, "channels height width"]) -> bytes:
    """Pixels of 1 or 3 channels as a PNG file."""
    from PIL import Image

    array = pixels.permute(1, 2, 0).contiguous().numpy()
    stream = BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(stream, "PNG", optimize=True)
    return stream.getvalue()
