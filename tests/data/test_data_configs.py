"""Each YAML of the group data, against the constructor that it feeds."""

import inspect
from pathlib import Path
from typing import Any

import hydra.utils
import pytest
import yaml

import paribus.data
from paribus.data import InMemoryData

FOLDER = Path(__file__).parents[2] / "conf" / "data"
FILES = sorted(FOLDER.glob("*.yaml"))


def built(path: Path, **changes: Any) -> InMemoryData:
    return hydra.utils.instantiate(yaml.safe_load(path.read_text()) | {"seed": 0} | changes)


def test_there_is_a_file_for_each_public_data_set() -> None:
    targets = {yaml.safe_load(path.read_text())["_target_"] for path in FILES}
    named = {name for name in paribus.data.__all__ if name not in ("Contamination", "InMemoryData", "LabelNoise")}
    assert targets >= {f"paribus.data.{name}" for name in named}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_argument_is_in_the_file_and_the_file_describes_itself(path: Path) -> None:
    assert path.read_text().startswith("# ")
    node = yaml.safe_load(path.read_text())
    parameters = inspect.signature(hydra.utils.get_class(node["_target_"])).parameters
    assert set(node) - {"_target_"} == set(parameters) - {"seed"}
    assert all(parameter.default is inspect.Parameter.empty for parameter in parameters.values())
    (nested,) = (argument for argument in node.values() if isinstance(argument, dict))
    assert set(nested) - {"_target_"} == set(inspect.signature(hydra.utils.get_class(nested["_target_"])).parameters)
    assert nested["fraction"] == 0


@pytest.mark.parametrize(
    "name",
    [
        "line",
        "sine",
        "diabetes",
        "auto_mpg",
        "boston",
        "digits",
        "mnist5k",
        "breast_cancer",
        "wine",
        "gaussian_classes",
    ],
)
def test_data_that_needs_no_file_is_ready_as_it_stands(name: str) -> None:
    data = built(FOLDER / f"{name}.yaml")
    data.setup()
    assert set(data.parts) == {"train", "validation", "test"}
    assert min(data.sizes().values()) > 0


@pytest.mark.parametrize("name", ["table", "uci", "labelled_table", "image_folder", "idx", "cifar"])
def test_data_from_files_names_what_must_be_given(name: str) -> None:
    node = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    assert node["path"] == "???"


def test_a_rate_without_a_size_is_refused_where_no_size_is_known() -> None:
    node = yaml.safe_load((FOLDER / "table.yaml").read_text())["contamination"]
    with pytest.raises(Exception, match="size is 0"):
        hydra.utils.instantiate(node | {"fraction": 0.2})
