"""Which targets a config may name. The boundary is tested by ways around it."""

import sys

import pytest

from paribus.errors import UserError
from paribus.nodes.targets import find_target
from paribus.objectives import Huber

BYPASSES = [
    "os.system",
    "builtins.eval",
    "torch.load",
    "pathlib.Path",
    "subprocess.Popen",
    "paribus.nodes.targets.os.system",
    "paribus.nodes.targets.os",
    "paribus.nodes.targets.import_module",
    "paribus.nodes.targets.FunctionType",
    "paribus.build.torch.load",
    "paribus.nodes.assemble.partial",
    "paribus.nodes.targets.__loader__",
    "paribus.nodes.targets.__builtins__",
    "paribus.nodes.targets.__class__",
    "paribus.__main__.main",
    "paribus.objectives.Huber.__init__",
    "paribus.objectives.Huber.__init__.__globals__",
    "torch.optim.adam.torch.load",
    "torch.optim.adam.Tensor",
    "torch.optim.adam.cast",
    "torch.nn.functional",
    "torch.nn.modules.module.torch.load",
    "torch.nn.modules.module.functools.partial",
    "pytorch_lightning.callbacks.timer.re.compile",
    "pytorch_lightning.Trainer",
    "torch.optimism.Adam",
    "paribusx.Huber",
    "paribus",
    "torch",
    "",
    "paribus..Huber",
    ".paribus.objectives.Huber",
    "paribus.objectives.Huber\nimport os",
    "paribus/objectives.Huber",
    None,
    3,
    ["os", "system"],
]


@pytest.mark.parametrize("name", BYPASSES)
def test_what_is_not_allowed_is_refused_by_name(name):
    with pytest.raises(UserError) as caught:
        find_target("model", name)
    assert str(caught.value).startswith(f"model._target_={name}: ")


def test_the_refusal_says_what_is_allowed_and_how_to_allow_more():
    with pytest.raises(UserError) as caught:
        find_target("model", "os.system")
    assert str(caught.value) == (
        "model._target_=os.system: not a target that a config may name, expected a class or function defined under "
        "paribus, torch.optim, torch.nn, pytorch_lightning.loggers, pytorch_lightning.callbacks. Name a package of "
        "your own in the environment variable PARIBUS_TARGETS."
    )


@pytest.mark.parametrize(
    "name",
    [
        "paribus.objectives.Huber",
        "paribus.objectives.pointwise.Huber",
        "torch.optim.Adam",
        "torch.optim.Adafactor",
        "torch.nn.ReLU",
        "pytorch_lightning.loggers.CSVLogger",
        "pytorch_lightning.callbacks.ModelCheckpoint",
    ],
)
def test_what_is_allowed_is_found(name):
    assert find_target("key", name).__name__ == name.rpartition(".")[2]


def test_an_alias_leads_to_the_class_itself():
    assert find_target("objective", "paribus.objectives.Huber") is Huber


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("paribus.objectives.Hubr", "paribus.objectives has no 'Hubr'. Did you mean 'Huber'?"),
        ("paribus.objectivs.Huber", "there is no module 'paribus.objectivs'. Did you mean 'objectives'?"),
        ("torch.optim.Adem", "torch.optim has no 'Adem'. Did you mean 'Adam'?"),
    ],
)
def test_a_misspelt_target_is_answered_with_the_nearest(name, advice):
    with pytest.raises(UserError) as caught:
        find_target("objective", name)
    assert str(caught.value) == f"objective._target_={name}: {advice}"


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    """A package outside of the allow-list."""
    (tmp_path / "ours_for_targets").mkdir()
    source = "import json\nfrom json import JSONDecoder\nclass Loss:\n    pass\ndef make():\n    return 1\n"
    source += "class Ready:\n    def __call__(self):\n        return 2\nready = Ready()\n"
    (tmp_path / "ours_for_targets" / "__init__.py").write_text(source)
    (tmp_path / "ours_for_targets" / "__main__.py").write_text("def main():\n    pass\n")
    (tmp_path / "ours_for_targets" / "broken.py").write_text("import a_package_that_is_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "ours_for_targets"
    for module in [name for name in sys.modules if name.startswith("ours_for_targets")]:
        del sys.modules[module]


def test_a_package_that_is_not_allowed_is_not_even_imported(own_package, monkeypatch):
    monkeypatch.delenv("PARIBUS_TARGETS", raising=False)
    with pytest.raises(UserError, match="may name"):
        find_target("objective", f"{own_package}.Loss")
    assert own_package not in sys.modules


@pytest.mark.parametrize("packages", ["ours_for_targets", "other, ours_for_targets ,"])
def test_the_environment_allows_a_package_of_ones_own(own_package, monkeypatch, packages):
    monkeypatch.setenv("PARIBUS_TARGETS", packages)
    assert find_target("objective", f"{own_package}.Loss").__name__ == "Loss"
    assert find_target("objective", f"{own_package}.make")() == 1
    for borrowed in ("json.loads", "JSONDecoder", "json", "ready", "ready.__call__"):
        with pytest.raises(UserError):
            find_target("objective", f"{own_package}.{borrowed}")


def test_allowing_a_package_does_not_allow_its_namesakes(own_package, monkeypatch):
    monkeypatch.setenv("PARIBUS_TARGETS", "ours_for")
    with pytest.raises(UserError, match="may name"):
        find_target("objective", f"{own_package}.Loss")


def test_a_private_module_is_not_imported(own_package, monkeypatch):
    monkeypatch.setenv("PARIBUS_TARGETS", own_package)
    with pytest.raises(UserError, match="may name"):
        find_target("objective", f"{own_package}.__main__.main")
    assert f"{own_package}.__main__" not in sys.modules


def test_a_package_that_is_not_installed_is_named(own_package, monkeypatch):
    monkeypatch.setenv("PARIBUS_TARGETS", own_package)
    with pytest.raises(UserError, match="No module named 'a_package_that_is_not_installed'"):
        find_target("objective", f"{own_package}.broken.Loss")
