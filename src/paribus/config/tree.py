"""The files of the config tree: where they lie, which choices a group has, and which of them have a key."""

from pathlib import Path

import yaml


def conf_dir() -> Path:
    """The config tree: in the package when it was installed, beside `src` in a checkout."""
    packaged = Path(__file__).parents[1] / "conf"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "conf"


def config_groups(extra: Path | None = None) -> dict[str, dict[str, Path]]:
    """The files of each group by choice: of `extra`, Paribus's own, those of `conf/` in the working directory."""
    groups: dict[str, dict[str, Path]] = {}
    for tree in (*((extra,) if extra else ()), conf_dir(), Path("conf")):
        for path in sorted(tree.glob("*/*.yaml")):
            groups.setdefault(path.parent.name, {}).setdefault(path.stem, path)
    return {name: files for name, files in groups.items() if name != "hydra"}


def placed_groups() -> dict[str, str]:
    """The groups that the root config puts under other keys, by these: `{"discriminator_optimizer": "optimizer"}`."""
    listed = yaml.safe_load((conf_dir() / "run.yaml").read_text())["defaults"]
    named = [str(name) for entry in listed if isinstance(entry, dict) for name in entry]
    return {key: group for group, at, key in (name.partition("@") for name in named) if at}


def choices_having(key: str) -> list[str]:
    """The choices of a group that have a key: of `objective.delta`, those whose file says what `delta` is."""
    group, _, name = key.partition(".")
    first = name.partition(".")[0]
    found = []
    for choice, path in config_groups().get(group, {}).items():
        try:
            node = yaml.safe_load(path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        if isinstance(node, dict) and first in node:
            found.append(choice)
    return found
