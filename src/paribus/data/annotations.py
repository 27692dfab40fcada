"""What is known of images beyond their class: what they were made of, in words, and where it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Annotations:
    """Of the images of one part, row by row. Places are in pixels, x to the right and y down from the corner at the top
    left, so that pixel j of a line reaches from j to j + 1.

    Attributes:
        factors: `[n, factors]` of float64, what each image was made of.
        factor_names: names of its columns.
        values: of the columns that count through a list, that list.
        periods: of columns that are angles in degrees, and of each class, the turn that changes nothing; 0 where no
            turn changes anything.
        captions: a sentence for each image, a function of its factors.
        masks: `[n, 1, height, width]` of float32, how much of each pixel the shape covers.
        boxes: `[n, 4]` of float32, the smallest upright rectangle about the shape: x0, y0, x1, y1.
        key_points: `[n, points, 2]` of float32, (x, y) of the centre and then the corners; NaN where a shape has fewer.
    """

    factors: Float[Tensor, "n factors"]
    factor_names: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]
    periods: Mapping[str, tuple[float, ...]]
    captions: tuple[str, ...]
    masks: Float[Tensor, "n 1 height width"]
    boxes: Float[Tensor, "n 4"]
    key_points: Float[Tensor, "n points 2"]

    def __len__(self) -> int:
        return len(self.factors)

    def factor(self, name: str) -> Float[Tensor, "n"]:
        """A column of the factors.

        Raises:
            KeyError: there is none of this name.
        """
        if name not in self.factor_names:
            raise KeyError(f"there is no factor {name!r}, expected one of {', '.join(self.factor_names)}")
        return self.factors[:, self.factor_names.index(name)]

    def take(self, rows: Int[Tensor, "m"]) -> "Annotations":
        """Those of some images, by number."""
        captions = tuple(self.captions[row] for row in rows.tolist())
        tensors = (each.index_select(0, rows) for each in (self.factors, self.masks, self.boxes, self.key_points))
        factors, masks, boxes, key_points = tensors
        return Annotations(factors, self.factor_names, self.values, self.periods, captions, masks, boxes, key_points)
