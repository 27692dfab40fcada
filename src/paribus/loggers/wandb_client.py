"""What lies between runs and W&B's server: where its files go, the key, whether it answers, what is sent later."""

import os
import re
import shlex
import sys
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import requests

from paribus.errors import UserError
from paribus.loggers.naming import require

SET_ASIDE = "superseded"
"""Folder for what earlier attempts at runs left."""
PROBE_SECONDS = 5.0
"""How long a server is waited for to answer at all."""
DISREGARDED = ("WANDB_MODE", "WANDB_PROJECT")
"""Variables of the environment that W&B's client reads where a program says nothing; here the config says it."""
_own_places: dict[str, str] = {}
"""Where W&B's files go because it was said here, for the experiment before, rather than by the user."""
_unreachable: list[str] = []
"""Why the server cannot be reached, once that is known: it is not waited for again, here and in forked processes."""


def set_aside(own: Path, run: str) -> None:
    """Move what earlier attempts at a run left, so that each run has one folder to be sent.

    The log of one that was killed cannot always be read, and `wandb sync` then leaves out the later ones too.
    """
    for earlier in own.glob(f"offline-run-*-{run}"):
        (own / SET_ASIDE).mkdir(exist_ok=True)
        # W&B names folders by the second, in which there may be several attempts.
        earlier.replace(own / SET_ASIDE / f"{earlier.name}-{uuid4().hex[:8]}")


def prepare_wandb(folder: Path, offline: bool) -> bool:
    """Let W&B keep its files in `folder`; whether runs can be sent, if they are to be.

    Raises:
        UserError: wandb is not installed; or there is no key.
    """
    require("wandb", "wandb")
    import wandb

    _tell_disregarded()
    own = folder / "wandb"
    # Tables are staged as artifacts, in the home folder unless told otherwise.
    for name, place in (("WANDB_DATA_DIR", own / "data"), ("WANDB_CACHE_DIR", own / "cache")):
        if os.environ.get(name) in (None, _own_places.get(name)):
            os.environ[name] = _own_places[name] = str(place.absolute())
    if offline or not is_reachable(folder):
        return False
    try:
        wandb.login(verify=False)
    except wandb.Error as error:
        raise UserError(
            f"logger.wandb.offline=false: W&B has no key of yours ({error}); run `wandb login`, or set WANDB_API_KEY"
        ) from error
    return True


@lru_cache
def _tell_disregarded() -> None:
    if found := [name for name in DISREGARDED if os.environ.get(name)]:
        told = "the config says where runs go, and whether: logger.wandb.project, logger.wandb.offline, logger=none"
        print(
            f"paribus: {' and '.join(found)} {'is' if len(found) == 1 else 'are'} disregarded; {told}", file=sys.stderr
        )


def is_reachable(folder: Path) -> bool:
    """Whether W&B's server answers. Asked before a run is begun: one that was begun in vain cannot be kept instead."""
    if not _unreachable and (reason := _unanswered(_server())):
        _unreachable.append(reason)
        server = re.sub(r"//[^/@]*@", "//", _server())  # without the password that may stand there
        told = f"W&B's server {server} cannot be reached ({reason}); runs are kept on the disk, to be sent later"
        print(f"paribus: {told}: {sync_command(folder)}", file=sys.stderr)
    return not _unreachable


def sync_command(folder: Path) -> str:
    """What sends all offline runs of an experiment's folder."""
    return f"wandb sync {shlex.quote(str(folder))}/wandb/offline-run-*"


def _server() -> str:
    import wandb

    return str(wandb.setup().settings.base_url)


@lru_cache
def _unanswered(url: str) -> str:
    """Why a server does not answer; empty where it does, whatever it answers."""
    try:
        requests.head(url, timeout=PROBE_SECONDS)
    except requests.exceptions.SSLError:  # W&B's client has certificates of its own
        return ""
    except requests.RequestException as error:
        return type(error).__name__
    return ""


def give_up(reason: str) -> None:
    """Keep the runs that follow on the disk."""
    _unreachable.append(reason)
