"""Users' own configs: the folder `conf` of the directory in which Paribus is started."""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class OwnConfigs(SearchPathPlugin):
    """Looks for configs in `./conf` too, after Paribus's own tree; leaves other Hydra applications alone."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the folder if there is one."""
        from paribus.config.tree import conf_dir

        own = Path.cwd() / "conf"
        packaged = conf_dir()
        paths = [Path(str(each.path).removeprefix("file://")) for each in search_path.get_path()]
        if own.is_dir() and packaged in paths and not own.samefile(packaged):
            search_path.append("paribus-user", f"file://{own}")
