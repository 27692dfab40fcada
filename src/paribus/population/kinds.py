"""Which of many jobs can be trained as one program, by their configs and by what was built of them."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from paribus.errors import stopped
from paribus.population.begun import Begun
from paribus.population.optimizers import NotStackable
from paribus.population.structure import structure
from paribus.study.keys import flat
from paribus.study.records import key_of

NAMED = ("data", "network", "objective", "optimizer")
"""Config groups by which runs are named."""


def kind_of(config: Mapping[str, Any]) -> str:
    """Jobs that differ in single numbers alone are of one kind: they can probably be trained as one program."""
    leaves = {key: leaf for key, leaf in flat(config).items() if not isinstance(leaf, float) and key != "seed"}
    return key_of({key: repr(leaf) for key, leaf in leaves.items()})


def kinds_of(begun: Sequence[Begun]) -> list[list[Begun]]:
    """The runs that one program could train: of one structure, budget, and sizes of data."""
    kinds: dict[Hashable, list[Begun]] = {}
    for each in begun:
        sizes = {str(part): size for part, size in each.run.data.sizes().items()}
        settings = key_of([each.run.job.config["trainer"], sizes, each.run.data.batch_size])
        kinds.setdefault((settings, _structure(each)), []).append(each)
    return list(kinds.values())


def _structure(each: Begun) -> Hashable:
    try:
        return structure(each.member.family)
    except NotStackable as reason:
        return str(reason)
    except Exception as error:
        if stopped(error):
            raise KeyboardInterrupt from error
        return f"{type(error).__name__}: {error}"


def name_of(runs: Sequence[Begun]) -> str:
    """What runs of one kind have in common, by the groups' choices; what they differ in is left out."""
    choices = [each.run.job.choices for each in runs]
    shared = {name: choice for name, choice in choices[0].items() if all(each.get(name) == choice for each in choices)}
    return ", ".join(shared[name] for name in NAMED if name in shared)
