"""What the plain values at the root of a config may be, checked before a folder is made of them. No torch."""

from collections.abc import Mapping
from typing import Any

from paribus.errors import UserError


def check_settings(config: Mapping[str, Any]) -> None:
    """Refuse a `name` that is not one folder, and a `seed` below 0; their types are checked elsewhere.

    Args:
        config: plain and resolved; keys that it lacks are not judged.

    Raises:
        UserError: what was given and what is expected.
    """
    name, seed = config.get("name"), config.get("seed")
    if isinstance(name, str):
        check_name(name)
    if isinstance(seed, int) and seed < 0:
        raise UserError(f"seed={seed}: expected a whole number of at least 0")


def check_name(name: str) -> None:
    """Refuse a name of an experiment that is not the name of one folder below `output`."""
    if not name.strip() or name.startswith(".") or not name.isprintable() or set(name) & set("/\\"):
        raise UserError(
            f"name={name}: expected the plain name of a folder, such as name=first, without / and not starting with "
            "a point; records go to <output>/<name>, and output=FOLDER says where that is"
        )
