"""`paribus list`: the choices of each config group, described by the first comment of their files."""

from pathlib import Path

from paribus.config.tree import config_groups
from paribus.errors import UserError, nearest


def listing(group: str | None, extra: Path | None = None) -> str:
    """The choices of a group with a line of description each; of every group where none is named.

    Args:
        group: which one.
        extra: a further folder of configs, as `--config-dir` gives.

    Raises:
        UserError: there is no such group, or no such folder.
    """
    if extra is not None and not extra.is_dir():
        raise UserError(f"--config-dir {extra} is not a folder")
    groups = config_groups(extra)
    if group is None:
        return "\n\n".join(f"{name}\n{_choices(files)}" for name, files in sorted(groups.items()))
    if group not in groups:
        raise UserError(
            f"there is no config group {group!r}.{nearest(group, groups)} Groups: {', '.join(sorted(groups))}"
        )
    return _choices(groups[group])


def _choices(files: dict[str, Path]) -> str:
    width = max(map(len, files))
    return "\n".join(f"  {name:<{width}}  {_description(path)}" for name, path in sorted(files.items()))


def _description(path: Path) -> str:
    lines = path.read_text().splitlines()
    comments = [line.lstrip("# ").strip() for line in lines if line.startswith("#") and "@package" not in line]
    return comments[0] if comments else ""
