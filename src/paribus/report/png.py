"""PNG pictures out of records: whatever a record claims to be a picture, only pixels get through."""

import io
import struct
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 2_000_000
MOST_LETTERS = 2_000_000
"""Of the base64 text of one picture."""


@dataclass(frozen=True)
class Png:
    """A picture as a PNG file that was written here."""

    data: bytes
    width: int
    height: int

    def uri(self) -> str:
        """The picture as an address that holds it."""
        return f"data:image/png;base64,{b64encode(self.data).decode('ascii')}"

    def enlarged(self, times: int) -> bytes:
        """A PNG file with `times` x `times` pixels for each."""
        from PIL import Image

        with Image.open(io.BytesIO(self.data)) as image:
            return _written(image.resize((self.width * times, self.height * times), Image.Resampling.NEAREST))


def checked_png(text: object) -> Png | None:
    """The picture that base64 `text` holds, decoded and written anew; None if it is not one, or is too large."""
    from PIL import Image

    if not isinstance(text, str) or len(text) > MOST_LETTERS:
        return None
    try:
        data = b64decode(text, validate=True)
        if not data.startswith(SIGNATURE):
            return None
        width, height = struct.unpack(">II", data[16:24])
        if not 0 < width * height <= MOST_PIXELS:
            return None
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            plain = image if image.mode in ("1", "L", "RGB", "RGBA") else image.convert("RGBA")
            return Png(_written(plain), plain.width, plain.height)
    except (ValueError, OSError, EOFError, SyntaxError, struct.error, zlib.error):
        return None


def _written(image: "Image") -> bytes:
    """The pixels of `image` as a PNG file without any words in it."""
    from PIL import Image

    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    stream = io.BytesIO()
    bare.save(stream, "PNG", optimize=True)
    return stream.getvalue()
