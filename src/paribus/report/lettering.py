"""Text in panels: how wide it is, and lines that fit."""

from html import escape
from textwrap import wrap

LINE_HEIGHT = 17
EDGE = 6
"""Between text and the border of a panel."""
MOST_LINES = 3


def text_width(text: str) -> float:
    """About how wide a text is in a wide font: at least its width, bold too."""
    return sum(11.8 if letter in "mwMW@%" else 7.4 for letter in text)


def fitted(text: str, room: float) -> list[str]:
    """The text in lines no wider than `room`, broken between words where it can be; dots for what is too much."""
    letters = int(len(text) * room / text_width(text)) if text else 1
    return wrap(text, max(letters, 4), max_lines=MOST_LINES, placeholder=" ...", break_on_hyphens=False)


def centred(text: str, place: float, room: float) -> float:
    """The middle of a text that is to stand at `place`, and inside of `room`."""
    half = min(text_width(text), room - 2 * EDGE) / 2 + EDGE
    return min(max(place, half), room - half)


def titled(hint: str) -> str:
    """The element that browsers show as a tooltip."""
    return f"<title>{escape(hint)}</title>" if hint else ""
