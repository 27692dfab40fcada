"""What identifies a run and an evaluation: hashes of what each reads of the config."""

from collections.abc import Collection, Mapping
from typing import Any

from paribus.study.records import ADDED, key_of

NOT_TRAINING = {
    "name": "names the folder",
    "output": "names the folder",
    "study": "says what to compare, not what to train",
    "rerun": "says what to run again",
    "logger": "mirrors what is recorded",
    "evaluation": "reads the trained model, and one model can be evaluated in several ways",
    "trainer.save_checkpoint": "says whether to keep the weights, which are the same either way",
    "trainer.max_minutes": "says how long training may take, and what ends within it is the same",
    "trainer.resume_seconds": "says how often to save, and a resumed run ends like an uninterrupted one",
}
"""The config keys that training does not read, each with the reason."""
IN_KEYS: Mapping[str, Any] = {"trainer.max_minutes": None}
"""Those of them that keys were made of before, each with the value that it had in almost all: these keys stay."""


def train_key(config: Mapping[str, Any]) -> str:
    """Identifies a run: a hash of what training reads of its resolved config, without Hydra's own node.

    What came later and is as it was before is left out, so that earlier records stay those of their configs.
    """
    leaves = flat(config)
    read = {key: _plain(value) for key, value in leaves.items() if not is_below(key, NOT_TRAINING)}
    read |= {key: value for key, value in IN_KEYS.items() if key in leaves}
    return key_of({key: value for key, value in read.items() if key not in ADDED or value != ADDED[key]})


def evaluation_key(train: str, evaluation: Mapping[str, Any]) -> str:
    """Identifies what an evaluator, as its config node describes it, measures of the run with train key `train`."""
    return key_of({"train": train, "evaluation": {key: _plain(value) for key, value in flat(evaluation).items()}})


def flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of a plain config by dotted key; lists and empty mappings are leaves."""
    leaves: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            leaves.update((f"{key}.{below}", leaf) for below, leaf in flat(value).items())
        else:
            leaves[str(key)] = value
    return leaves


def is_below(key: str, roots: Collection[str]) -> bool:
    """Whether a dotted key is one of `roots` or lies below one."""
    return key in roots or any(key.startswith(root + ".") for root in roots)


def _plain(value: Any) -> Any:
    """`value` for hashing: 1.0 and 1 are the same to training."""
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
