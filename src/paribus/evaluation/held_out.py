"""What an evaluation demands of held-out examples."""

from collections.abc import Iterable

from paribus.data.contract import InMemoryData, Part
from paribus.errors import UserError


def refuse_few(data: InMemoryData, parts: Iterable[Part], least: int, use: str) -> None:
    """Refuse parts with fewer than `least` examples; `use`: what they are for, as a sentence without its end.

    Raises:
        UserError: a part is too small.
    """
    sizes = data.sizes()
    for part in parts:
        if sizes[part] < least:
            raise UserError(
                f"the {part} part has {sizes[part]} examples, expected at least {least}: {use}; make it larger"
            )
