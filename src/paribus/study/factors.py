"""The parts of a study: what varies, what repeats, what is measured. No torch, no scipy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from paribus.errors import UserError, nearest
from paribus.study.levels import Level, Setting, canonical, label

Direction = Literal["minimise", "maximise", "neither"]
Scale = Literal["linear", "log"]
Replication = Literal["fresh", "resplit", "fixed"]


@dataclass(frozen=True)
class Factor:
    """Something that the study varies on purpose.

    Attributes:
        name: of a plain factor the config group or dotted key that it sets; of a bundle any word.
        levels: its levels, as written.
        settings: of a bundle, for each level in the order of `levels`, the config keys that it sets and their values;
            empty for a plain factor.
    """

    name: str
    levels: tuple[Level, ...]
    settings: tuple[Mapping[str, Setting], ...] = ()

    def sets(self, level: Level) -> Mapping[str, Setting]:
        """The config keys that `level` sets, and their values: `{name: level}` for a plain factor."""
        return self.settings[self.position(level)] if self.settings else {self.name: level}

    @property
    def keys(self) -> tuple[str, ...]:
        """Every config key that some level sets; what lies below them varies with the factor."""
        return tuple(dict.fromkeys(key for setting in self.settings for key in setting)) or (self.name,)

    def covers(self, key: str) -> bool:
        """Whether the dotted config `key` is one that the factor sets, or lies below one."""
        roots = [own.split("@")[-1].replace("/", ".") for own in self.keys]
        return any(key == root or key.startswith(root + ".") for root in roots)

    def position(self, level: Level) -> int:
        """Index of `level` in `levels`; ValueError if it is not one of them."""
        return [canonical(known) for known in self.levels].index(canonical(level))

    def known(self, level: Level, place: str) -> Level:
        """`level` as the study writes it; UserError, beginning with `place`, if it is not one of `levels`."""
        try:
            return self.levels[self.position(level)]
        except ValueError:
            names = [self.label(each) for each in self.levels]
            raise UserError(
                f"{place}: {label(level)!r} is no level of {self.name}, which has {', '.join(names)}."
                f"{nearest(label(level), names)}"
            ) from None

    def label(self, level: Level) -> str:
        """`level` as tables show it."""
        return label(level)


@dataclass(frozen=True)
class Replicate:
    """What repeats the whole comparison: a config key and its levels, `seed` 0 to 19."""

    key: str
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Metric:
    """A number that evaluators measure and arms are compared on.

    Attributes:
        direction: which way is better; `neither` for a number with a target, such as a bias.
        unit: for tables and axes.
        scale: `log` compares by ratio (of positive values), `linear` by difference.
        worst: what a run that diverged counts as; None for beyond every number, so that only medians can be compared.
    """

    name: str
    direction: Direction
    unit: str = ""
    scale: Scale = "linear"
    worst: float | None = None


@dataclass(frozen=True)
class Plane:
    """Two metrics by name: `x` runs horizontally, `y` vertically."""

    x: str
    y: str

    @property
    def name(self) -> str:
        """`rate-distortion`."""
        return f"{self.x}-{self.y}"
