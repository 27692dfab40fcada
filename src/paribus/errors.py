"""Mistakes of the user, told in one message: what was given, what is expected, the nearest right name."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

RECORDED = (
    "a key is never part of a config or a command line, which are recorded; W&B takes it from `wandb login` or from "
    "the environment variable WANDB_API_KEY"
)
SECRET = f"{RECORDED}. What was given is in your shell's history: make a new one"


class UserError(Exception):
    """Bad input. Its text is all that the user sees; the command line prints it and exits with code 2."""


class NonFiniteLoss(RuntimeError):
    """Training met a loss that is not a finite number.

    Attributes:
        step: the optimizer step (from 0) whose loss was not finite.
    """

    def __init__(self, step: int, value: float) -> None:
        super().__init__(f"the loss is {value} at step {step}")
        self.step = step


def stopped(error: BaseException | None) -> bool:
    """Whether an error comes of Ctrl-C: a library that is interrupted halfway may raise another on its way out."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def nearest(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'huber'?"` for a name close to a known one, else an empty text."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def is_secret(name: str) -> bool:
    """Whether what has this name, dotted or not, opens an account, so that it must be neither recorded nor shown."""
    return re.search(r"(^|[^a-z])api[_-]?key$|^logger\..*(key|token|password|secret)$", name, re.IGNORECASE) is not None
