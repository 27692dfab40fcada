"""Each YAML of the group data, as it is composed, against the constructor that it feeds."""

import inspect
from functools import cache
from pathlib import Path
from typing import Any

import hydra.utils
import pytest
from omegaconf import OmegaConf

import paribus.data
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.data import InMemoryData

FOLDER = Path(__file__).parents[2] / "conf" / "data"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
FROM_FILES = ["table", "uci", "labelled_table", "image_folder", "idx", "cifar"]
COMPOSER = Composer(open_tree())


@cache
def node(name: str) -> Any:
    return OmegaConf.to_container(COMPOSER.compose([f"data={name}"]).data)


def built(name: str, **changes: Any) -> InMemoryData:
    return hydra.utils.instantiate(node(name) | {"seed": 0} | changes)


def test_there_is_a_file_for_each_public_data_set() -> None:
    targets = {node(name)["_target_"] for name in NAMES}
    named = {name for name in paribus.data.__all__ if name not in ("Contamination", "InMemoryData", "LabelNoise")}
    assert targets >= {f"paribus.data.{name}" for name in named}


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_in_the_file_and_the_file_describes_itself(name: str) -> None:
    assert (FOLDER / f"{name}.yaml").read_text().startswith("# ")
    given = node(name)
    parameters = inspect.signature(hydra.utils.get_class(given["_target_"])).parameters
    assert set(given) - {"_target_"} == set(parameters) - {"seed"}
    assert all(parameter.default is inspect.Parameter.empty for parameter in parameters.values())
    for nested in (argument for argument in given.values() if isinstance(argument, dict)):
        wanted = inspect.signature(hydra.utils.get_class(nested["_target_"])).parameters
        assert set(nested) - {"_target_"} == set(wanted)
        assert nested["fraction"] == 0


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FROM_FILES])
def test_data_that_needs_no_file_is_ready_as_it_stands(name: str) -> None:
    data = built(name)
    data.setup()
    assert set(data.parts) == {"train", "validation", "test"}
    assert min(data.sizes().values()) > 0


@pytest.mark.parametrize("name", FROM_FILES)
def test_data_from_files_names_what_must_be_given(name: str) -> None:
    assert node(name)["path"] == "???"


@pytest.mark.parametrize("name", ["digits", "mnist5k"])
def test_a_binary_choice_is_its_grey_one_but_for_the_scaling(name: str) -> None:
    assert node(f"binary_{name}") == node(name) | {"input_scaling": "binary"}
    changed = COMPOSER.compose([f"data=binary_{name}", "data.input_scaling=dynamic", "data.batch_size=7"]).data
    assert OmegaConf.to_container(changed) == node(name) | {"input_scaling": "dynamic", "batch_size": 7}


def test_a_rate_without_a_size_is_refused_where_no_size_is_known() -> None:
    with pytest.raises(Exception, match="size is 0"):
        hydra.utils.instantiate(node("table")["contamination"] | {"fraction": 0.2})
