"""Which yardstick measures a data set, and keeping those that were trained: in the process, and on the disk."""

import os
import pickle
import warnings
from collections.abc import Mapping
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import torch
from torch import Tensor

from paribus.data.classification import ClassificationData, RawClasses
from paribus.evaluation.extent import extent_of
from paribus.evaluation.features import RECIPE, Yardstick, trained_yardstick

CACHE = "PARIBUS_CACHE"
"""The environment variable that names the folder of what is kept between runs, in place of the user's own."""
DIGEST = 16
"""Bytes at the start of a file that the others are held to."""
_known: dict[str, Yardstick] = {}


def yardstick_of(data: ClassificationData) -> Yardstick:
    """The yardstick of a labelled data set, on inputs as its test part has them: grey, or all in black and white."""
    shares = extent_of(data).share(data.parts["test"]["x"])
    drawn = bool(((shares == 0) | (shares == 1)).all())
    told = repr((data.pairing()["data"], drawn, RECIPE))
    key = blake2b(told.encode(), digest_size=8).hexdigest()
    if key not in _known:
        _known[key] = kept_yardstick(data.raw, drawn, yardstick_folder() / key)
    return _known[key]


def yardstick_folder() -> Path:
    """Where yardsticks are kept."""
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE]) / "yardsticks"
    import pooch

    return Path(pooch.os_cache("paribus")) / "yardsticks"


def kept_yardstick(raw: RawClasses, drawn: bool, file: Path) -> Yardstick:
    """The yardstick that a file holds, or else one trained now and put there; a file that is not sound is replaced."""
    try:
        return _of_weights(raw, _read(file))
    except (OSError, ValueError, RuntimeError, pickle.UnpicklingError):
        yardstick = trained_yardstick(raw, drawn)
    try:
        _write(file, yardstick.state_dict())
    except OSError as error:
        warnings.warn(
            f"{error}: the classifier that measures samples is not kept, and every process trains it anew; "
            f"name a folder that can be written in the environment variable {CACHE}",
            stacklevel=2,
        )
    return yardstick


def _of_weights(raw: RawClasses, weights: Mapping[str, Tensor]) -> Yardstick:
    with torch.random.fork_rng(devices=[]):  # the initial weights, which are replaced, are drawn
        yardstick = Yardstick(tuple(raw.inputs.shape[1:]), len(raw.classes))
    yardstick.load_state_dict(weights)
    return yardstick


def _read(file: Path) -> Mapping[str, Tensor]:
    """Tensors by name.

    Raises:
        ValueError: the file is not as it was written.
    """
    content = file.read_bytes()
    if blake2b(content[DIGEST:], digest_size=DIGEST).digest() != content[:DIGEST]:
        raise ValueError(f"{file} is not as it was written")
    return torch.load(BytesIO(content[DIGEST:]), weights_only=True)


def _write(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """In one step: processes that train the same yardstick side by side do not see each other's halves."""
    stream = BytesIO()
    torch.save(tensors, stream)
    content = stream.getvalue()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        temporary.write_bytes(blake2b(content, digest_size=DIGEST).digest() + content)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
