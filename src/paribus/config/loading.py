"""Hydra's loader, used outside of a Hydra application: files read once, and jobs handed on as they were composed."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime, setup_globals
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from paribus.config.tree import conf_dir
from paribus.errors import UserError

VERSION_BASE = "1.3"


def open_tree(tree: Path | None = None, extra: Path | None = None) -> ConfigLoader:
    """Hydra's loader over a config tree, ready to compose outside of a Hydra application.

    Args:
        tree: the tree that holds `run.yaml`; None for Paribus's own.
        extra: a further folder of configs, as `--config-dir` gives.

    Raises:
        UserError: `extra` is no folder.
    """
    version.setbase(VERSION_BASE)
    setup_globals()
    JobRuntime().set("name", "paribus")
    path = create_config_search_path(str(tree or conf_dir()))
    if extra is not None:
        if not extra.is_dir():
            raise UserError(f"--config-dir {extra} is not a folder")
        path.prepend("command-line", f"file://{extra.resolve()}", SearchPathQuery(provider="schema"))
    return ConfigLoaderImpl(path)


class FrozenLoader(ConfigLoaderImpl):
    """Hands a launcher, in this process or another, the jobs as they were composed when the sweep began."""

    def __init__(self, compose: Callable[[list[str]], DictConfig], search_path: ConfigSearchPath) -> None:
        super().__init__(search_path)
        self._compose = compose

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """The job's config, with what resolvers have remembered of the sweep's, such as the time it began."""
        job = self._compose(sweep_overrides)
        OmegaConf.copy_cache(from_config=master_config, to_config=job)
        return job


class Remembering(ConfigRepository):
    """Reads each file once."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """With nothing read yet."""
        super().initialize_sources(config_search_path)
        self._read: dict[str, bytes] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A file's config, the caller's own."""
        # Hydra merges and empties what it gets, so everyone gets a copy; unpickling is the fast way to make one.
        if config_path not in self._read:
            self._read[config_path] = pickle.dumps(super().load_config(config_path))
        return cast("ConfigResult | None", pickle.loads(self._read[config_path]))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Remembering":
        # Hydra copies the repository for each job, to be free to replace its sources; what was read stays shared.
        return copy(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_read": {}}


class _HydraOnDemand:
    """Stands in for the config whose node `hydra` interpolations like `${hydra:runtime.choices.data}` look into."""

    def __init__(self, compose: Callable[[], DictConfig]) -> None:
        self._compose = compose

    @cached_property
    def hydra(self) -> DictConfig:
        return cast(DictConfig, self._compose().hydra)


@contextmanager
def hydra_on_demand(compose: Callable[[], DictConfig]) -> Iterator[None]:
    """Interpolations that look into the node `hydra` find what `compose` gives, which is called if one does."""
    state = HydraConfig.instance()
    before = state.cfg
    state.cfg = cast(Any, _HydraOnDemand(compose))
    try:
        yield
    finally:
        state.cfg = before
