"""The files in which evaluators leave what the report draws of a run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_drawing(path: Path, *kinds: str) -> Mapping[str, Any]:
    """The drawing in `path`; empty if it is none of these kinds."""
    text = path.read_text(encoding="utf-8", errors="replace")
    # Looking for the word spares parsing the drawings of other kinds, which may be large.
    if not any(f'"{kind}"' in text for kind in kinds):
        return {}
    try:
        drawing = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return drawing if isinstance(drawing, dict) and drawing.get("kind") in kinds else {}
