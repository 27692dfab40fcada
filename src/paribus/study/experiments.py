"""What the file of an experiment must be. Plain Python."""

from collections.abc import Mapping
from typing import Any

from paribus.errors import UserError

PACKAGE = "# @package _global_"


def refuse_misplaced(config: Mapping[str, Any], name: str) -> None:
    """Refuse a composed config into which the experiment `name` went as a node of its own, where nothing reads it."""
    if isinstance(config.get("experiment"), Mapping):
        raise UserError(
            f"experiment={name}: nothing would read the file experiment/{name}.yaml, neither its keys nor its study. "
            f"Its first line is to be:\n{PACKAGE}"
        )
