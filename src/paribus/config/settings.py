"""What the plain values at the root of a config may be, checked before a folder is made of them. No torch."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from paribus.errors import RECORDED, UserError

SHORTEST_KEY = 20
"""Letters of a key to an account; a shorter one is a stand-in, which a config may well have a word of."""


def check_settings(config: Mapping[str, Any]) -> None:
    """Refuse a `name` that is not one folder, a `seed` below 0, and a key to an account, wherever it comes from.

    Types are checked elsewhere.

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
    secret = os.environ.get("WANDB_API_KEY", "")
    if len(secret) >= SHORTEST_KEY and (found := next(_places(config, secret), None)):
        raise UserError(f"{found} has what WANDB_API_KEY has: {RECORDED}")


def _places(value: Any, secret: str, key: str = "") -> Iterator[str]:
    """The keys of a config whose text has `secret` in it."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _places(each, secret, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _places(each, secret, key)
    elif isinstance(value, str) and secret in value:
        yield key


def check_name(name: str) -> None:
    """Refuse a name of an experiment that is not the name of one folder below `output`."""
    if not name.strip() or name.startswith(".") or not name.isprintable() or set(name) & set("/\\"):
        raise UserError(
            f"name={name}: expected the plain name of a folder, such as name=first, without / and not starting with "
            "a point; records go to <output>/<name>, and output=FOLDER says where that is"
        )
