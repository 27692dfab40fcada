"""Configs of the jobs of a sweep: composed by Hydra once for each set of group choices, then filled in job by job.

Hydra composes a job in some 60 ms, most of which goes into reading and merging YAML. Jobs that choose the same options
share all of that, and what remains, setting single values, takes about 1 ms. The result is what Hydra would give.
"""

import pickle
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from paribus.config.explain import EXPLAINED, explain, resolved
from paribus.config.loading import FrozenLoader, Remembering, hydra_on_demand, open_tree
from paribus.config.settings import check_name, check_settings
from paribus.errors import UserError
from paribus.study.expansion import Request
from paribus.study.levels import Setting
from paribus.study.plan import JobConfig

ROOT = "run"

_NAME = re.compile(r"([A-Za-z_]\w*)=")
_CHOICE_OR_NAME = re.compile(r"name=|[A-Za-z_]\w*=[\[{]")
"""Overrides to look at before Hydra makes a folder of the name, or takes several choices for the last of them."""


def compose_job(overrides: Sequence[str] = (), tree: Path | None = None, extra: Path | None = None) -> DictConfig:
    """The config of one run, with Hydra's own node, as `paribus run <overrides>` composes it; as for `open_tree`."""
    return Composer(open_tree(tree, extra)).compose(overrides)


def compose_evaluation(overrides: Sequence[str], extra: Path | None = None, usual: str | None = None) -> dict[str, Any]:
    """The evaluation that overrides choose, plain and resolved.

    Args:
        overrides: `evaluation=NAME` and `evaluation.KEY=VALUE`.
        extra: as for `open_tree`.
        usual: the choice where they make none; None for that of a run.

    Raises:
        UserError: an override is of something else, or cannot be composed.
    """
    for override in overrides:
        if not override.startswith(("evaluation=", "evaluation.")):
            raise UserError(f"{override}: expected evaluation=<choice> or evaluation.<key>=<value>; nothing is trained")
    words = [*([f"evaluation={usual}"] if usual else []), *overrides]
    try:
        evaluation = OmegaConf.to_container(compose_job(words, extra=extra).evaluation, resolve=True)
    except EXPLAINED as error:
        raise explain(error, overrides) from error
    return cast(dict[str, Any], evaluation)


def admit_bundles(words: Sequence[str], tree: Path | None = None, extra: Path | None = None) -> list[str]:
    """The words of a command line, such that Hydra lets the study's bundles pass.

    A bundle is no key of the config, so Hydra refuses `problem=line`; as `+problem=line` it reaches the sweeper, which
    narrows the bundle. `tree` and `extra`: as for `open_tree`.

    Raises:
        UserError: an override cannot be read or chooses nothing, or there is no such experiment.
    """
    composer = Composer(open_tree(tree, extra))
    composer.check([word for word in words if _CHOICE_OR_NAME.match(word)])
    strangers = {word for word in words if (match := _NAME.match(word)) and not composer.is_known(match[1])}
    if not strangers:
        return list(words)
    study = composer.study(composer.requests([word for word in words if "=" in word and not word.startswith("-")]))
    factors = dict(study["factors"] or {}) if study else {}
    bundles = {name for name, levels in factors.items() if isinstance(levels, Mapping)}
    return [f"+{word}" if word in strangers and word.partition("=")[0] in bundles else word for word in words]


class Composer:
    """Composes jobs of one config tree.

    Args:
        loader: knows where configs lie.
        common: overrides of Hydra's own node, the same for every job.
        root: the config to start from.
    """

    def __init__(self, loader: ConfigLoader, common: Sequence[str] = (), root: str = ROOT) -> None:
        self.root = root
        self.common = tuple(common)
        self._loader = ConfigLoaderImpl(loader.get_search_path())
        self._loader.repository = Remembering(loader.get_search_path())
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._bases: dict[tuple[str, ...], _Base] = {}
        self._factors: frozenset[str] = frozenset()

    def requests(self, overrides: Sequence[str]) -> list[Request]:
        """The overrides of a command line, without those of Hydra's own node.

        Raises:
            UserError: one cannot be read, or is a sweep over an interval.
        """
        return [_request(each) for each in self._parse(overrides) if not each.is_hydra_override()]

    def study(self, requests: Sequence[Request]) -> Mapping[str, Any] | None:
        """The plain `study:` node that these requests choose and change; None where there is none.

        Only choices of groups and what is said of the study itself is read: anything else may depend on its factors.
        """
        chosen = [
            each.line for each in requests if not each.swept and (self.is_group(each.key) or _is_of_study(each.key))
        ]
        with explained(chosen):
            node = self.compose(chosen).study
            study = None if node is None else cast(dict[str, Any], OmegaConf.to_container(node, resolve=True))
        self._factors = frozenset(study.get("factors") or ()) if study else frozenset()
        return study

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The config of the job with these overrides, equal to the one that Hydra composes for it.

        Raises:
            UserError: an override cannot be read or does not fit the config.
        """
        parsed = self._parse(overrides)
        with explained(overrides):
            ConfigLoaderImpl.validate_sweep_overrides_legal(parsed, RunMode.RUN, from_shell=True)
            job = pickle.loads(zlib.decompress(self._base(parsed).whole))
            ConfigLoaderImpl._apply_overrides_to_config([each for each in parsed if not self._is_shared(each)], job)
        task = [each for each in parsed if not each.is_hydra_override()]
        job.hydra.overrides.task = [each.input_line for each in task]
        job.hydra.job.override_dirname = get_overrides_dirname(task, **job.hydra.job.config.override_dirname)
        return cast(DictConfig, job)

    def read(self, overrides: Sequence[str]) -> JobConfig:
        """The config of the job with these overrides as plain containers, without the nodes `hydra` and `study`.

        Raises:
            UserError: as `compose`; or a value is missing, or an interpolation leads nowhere.
        """
        parsed = self._parse(overrides)
        values = [each for each in parsed if not self._is_shared(each) and not _is_of_study(each.key_or_group)]
        with self._told_of_factors(), explained(overrides):
            ConfigLoaderImpl.validate_sweep_overrides_legal(parsed, RunMode.RUN, from_shell=True)
            base = self._base(parsed)
            task = pickle.loads(base.task)
            ConfigLoaderImpl._apply_overrides_to_config(values, task)
        with hydra_on_demand(lambda: self.compose(overrides)):
            unresolved = cast(dict[str, Any], OmegaConf.to_container(task, resolve=False))
            plain = resolved(task)
        check_settings(plain)
        return JobConfig(unresolved, plain, base.choices)

    def frozen(self) -> FrozenLoader:
        """A loader for launchers, which gives the jobs composed so far whatever happens to the files from now on."""
        return FrozenLoader(self.compose, self._loader.get_search_path())

    def is_group(self, name: str) -> bool:
        """Whether `name` is a config group."""
        if name not in self._groups:
            self._groups[name] = self._loader.repository.group_exists(name)
        return self._groups[name]

    def is_known(self, name: str) -> bool:
        """Whether `name` is a config group or a key of the root config."""
        root = self._loader.repository.load_config(self.root)
        return self.is_group(name) or (root is not None and name in root.config)

    def check(self, overrides: Sequence[str]) -> None:
        """Refuse what composes and yet says nothing that a run can follow.

        Raises:
            UserError: an override cannot be read, chooses several options or none of a group that takes one, or gives
                a name that is not the name of a folder.
        """
        self._parse(overrides)

    def _parse(self, overrides: Sequence[str]) -> list[Override]:
        new = [line for line in overrides if line not in self._parsed]
        with explained(overrides):
            parsed = OverridesParser.create(self._loader).parse_overrides(new)
        for line, each in zip(new, parsed, strict=True):
            self._check_choice(each)
            self._parsed[line] = each
        return [self._parsed[line] for line in overrides]

    def _check_choice(self, override: Override) -> None:
        key, value = override.key_or_group, override.value()
        if key == "name" and not override.is_sweep_override() and not override.is_delete():
            check_name(str(_plain(value)) if value is not None else "")
        if not self.is_group(key):
            return
        if value == {}:
            raise UserError(f"{override.input_line}: nothing is chosen, expected {key}=NAME")
        if isinstance(value, list) and not all(self._is_named_parts(key, str(_plain(each))) for each in value):
            names = ",".join(str(_plain(each)) for each in value)
            raise UserError(
                f"{override.input_line}: a run takes one {key}, expected {key}=NAME; a sweep is -m {key}={names}"
            )

    def _is_named_parts(self, group: str, option: str) -> bool:
        """Whether an option holds parts by name, as loggers do, so that several can stand side by side."""
        chosen = self._loader.repository.load_config(f"{group}/{option}")
        if chosen is None:
            return True
        # One that begins from other files of its group is a variant of them.
        return not (group == "experiment" or "_target_" in chosen.config or chosen.defaults_list)

    def _is_shared(self, override: Override) -> bool:
        """Whether Hydra needs the override to compose, rather than to set a value in what is composed."""
        is_choice = not isinstance(override.value(), dict) and self.is_group(override.key_or_group)
        return is_choice or override.is_hydra_override()

    @contextmanager
    def _told_of_factors(self) -> Iterator[None]:
        """Raises a mistake in a level of the study, which nobody typed as the override that it became, as such."""
        try:
            yield
        except UserError as error:
            key = str(error).partition("=")[0]
            if key not in self._factors:
                raise
            raise UserError(f"study.factors.{key}: {error}") from error

    def _base(self, parsed: Sequence[Override]) -> "_Base":
        lines = tuple(str(each.input_line) for each in parsed if self._is_shared(each))
        if lines not in self._bases:
            self._bases[lines] = _Base.of(
                self._loader.load_configuration(self.root, [*self.common, *lines], RunMode.RUN)
            )
        return self._bases[lines]


class _Base(NamedTuple):
    """What jobs of the same choices share.

    Attributes:
        whole: the config, pickled and compressed, since launchers send it to other processes.
        task: the config without the nodes `hydra` and `study`, pickled.
        choices: the option chosen of each config group.
    """

    whole: bytes
    task: bytes
    choices: Mapping[str, str]

    @classmethod
    def of(cls, config: DictConfig) -> "_Base":
        whole = zlib.compress(pickle.dumps(config), level=1)
        chosen = cast(dict[str, Any], OmegaConf.to_container(config.hydra.runtime.choices))
        with open_dict(config):
            for node in ("hydra", "study"):
                config.pop(node, None)
        return cls(whole, pickle.dumps(config), own_choices(chosen))


def own_choices(chosen: Mapping[str, Any]) -> dict[str, str]:
    """The option of each config group, of what Hydra says was chosen: without Hydra's own groups and empty ones."""
    return {
        group: option for group, option in chosen.items() if isinstance(option, str) and not group.startswith("hydra/")
    }


@contextmanager
def explained(overrides: Sequence[str]) -> Iterator[None]:
    """Raises what Hydra says of a user's mistake as a UserError."""
    try:
        yield
    except (*EXPLAINED, ValueError) as error:
        raise explain(error, overrides) from error


def _is_of_study(key: str) -> bool:
    return key == "study" or key.startswith("study.")


def _request(override: Override) -> Request:
    if override.is_interval_sweep():
        key = override.key_or_group
        raise UserError(f"{override.input_line}: an interval has no levels to compare; list some, {key}=a,b")
    if override.is_sweep_override():
        values = tuple(_plain(value) for value in override.sweep_iterator())
    else:
        values = () if override.is_delete() else (_plain(override.value()),)
    name = override.get_key_element()
    key = name.lstrip("+~")
    prefix = name[: len(name) - len(key)]
    return Request(key, values, str(override.input_line), override.is_sweep_override(), prefix)


def _plain(value: Any) -> Setting:
    if isinstance(value, QuotedString):
        return value.text
    return tuple(_plain(part) for part in value) if isinstance(value, list) else value
