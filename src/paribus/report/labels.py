"""Words beside points: where each finds room."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Place = tuple[float, float]
Segment = tuple[Place, Place]

DISTANCES = (2.0, 5.0, 10.0, 17.0, 26.0, 36.0)
"""Between a mark and its label, from the nearest to the farthest that a reader still connects."""
DIRECTIONS = tuple(math.radians(degrees) for degrees in (-45, 45, -135, 135, -90, 90, 0, 180, -20, 20, -160, 160))
MARK = 5.0


@dataclass(frozen=True)
class Box:
    """A rectangle; `top` is the smaller ordinate, as on a screen."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        tall = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(wide, 0.0) * max(tall, 0.0)

    def crossed(self, segment: Segment) -> bool:
        """Whether a line from one place to another passes through (Liang and Barsky's clipping)."""
        (x, y), (x_end, y_end) = segment
        first, last = 0.0, 1.0
        for start, step, low, high in ((x, x_end - x, self.left, self.right), (y, y_end - y, self.top, self.bottom)):
            if step == 0:
                if not low < start < high:
                    return False
                continue
            enter, leave = sorted(((low - start) / step, (high - start) / step))
            first, last = max(first, enter), min(last, leave)
        return first < last

    @property
    def middle(self) -> Place:
        """Its centre."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def place_labels(
    anchors: Sequence[Place],
    sizes: Sequence[tuple[float, float]],
    width: float,
    height: float,
    marks: Sequence[Box],
    lines: Sequence[Segment],
) -> list[Box | None]:
    """A box for the label of each anchor, near it, inside the panel, clear of marks and other labels.

    Args:
        anchors: the points that are labelled.
        sizes: width and height of each label.
        width, height: of the panel.
        marks: what a label must not cover.
        lines: what it had better not cross.

    Returns:
        A box for each anchor; None where there is no room within reach.
    """
    placed: list[Box | None] = [None] * len(anchors)
    crowding = [sum(math.dist(one, other) < 40 for other in anchors) for one in anchors]
    panel = Box(0.0, 0.0, width, height)
    for index in sorted(range(len(anchors)), key=lambda each: -crowding[each]):
        taken = [*marks, *(box for box in placed if box is not None)]
        placed[index] = _nearest_room(anchors[index], sizes[index], panel, taken, lines)
    return placed


def _nearest_room(
    anchor: Place, size: tuple[float, float], panel: Box, taken: Sequence[Box], lines: Sequence[Segment]
) -> Box | None:
    """The nearest box that covers nothing, and of those the one that the fewest lines cross."""
    best: tuple[float, Box] | None = None
    for distance in DISTANCES:
        if best is not None and best[0] <= distance:
            break
        for order, direction in enumerate(DIRECTIONS):
            box = _beside(anchor, size, distance, direction)
            inside = math.isclose(box.overlap(panel), size[0] * size[1], rel_tol=1e-9)
            if not inside or any(box.overlap(other) > 0 for other in taken):
                continue
            cost = distance + 0.1 * order + 12.0 * sum(box.crossed(line) for line in lines)
            if best is None or cost < best[0]:
                best = cost, box
    return best[1] if best else None


def _beside(anchor: Place, size: tuple[float, float], distance: float, direction: float) -> Box:
    """The box whose edge is `distance` away from the mark at `anchor`."""
    across, down = math.cos(direction), math.sin(direction)
    wide, tall = size[0] / 2, size[1] / 2
    reach = MARK + distance
    x = anchor[0] + across * reach + (wide if across > 0.3 else -wide if across < -0.3 else 0.0)
    y = anchor[1] + down * reach + (tall if down > 0.3 else -tall if down < -0.3 else 0.0)
    return Box(x - wide, y - tall, x + wide, y + tall)
