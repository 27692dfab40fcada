import json
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from paribus.config.compose import Composer, admit_bundles, compose_job
from paribus.config.loading import open_tree
from paribus.config.tree import conf_dir
from paribus.errors import UserError

TREE = Path(__file__).parents[1] / "small_conf"
JOBS = [
    [],
    ["seed=3"],
    ["experiment=robust", "objective=huber", "seed=0"],
    ["experiment=robust", "objective=huber", "objective.delta=0.5", "seed=1"],
    ["experiment=robust", "objective=squared", "data=wave", "network=mlp", "trainer.max_steps=80", "seed=2"],
    ["data.contamination.fraction=0.2", "optimizer=sgd", "optimizer.momentum=0.9"],
    ["optimizer.betas=[0.5,0.9]", "name='a b=c'", "network.bias=false"],
    ["data.noise={scale: 2.0, family: cauchy}", "+data.extra=null", "~data.slope"],
    ["+data.extra={a: 1, b: [x, y]}", "++data.extra.a=2", "logger=offline"],
    ["data={slope: 3.0}", "objective=huber"],
    ["~scheduler", "evaluation=recovery"],
    ["trainer.max_steps=7", "trainer.max_steps=8", "scheduler.steps=${seed}"],
]


@pytest.fixture(scope="module")
def loader():
    return open_tree(TREE)


def plain(config):
    return OmegaConf.to_container(config, resolve=False)


@pytest.mark.parametrize("overrides", JOBS, ids=" ".join)
def test_a_job_equals_hydras_own(loader, overrides):
    common = ["hydra.job.name=study", "hydra.verbose=true"]
    master = loader.load_configuration("run", common, RunMode.MULTIRUN)
    own = loader.load_sweep_config(master, overrides)
    composer = Composer(loader, common)
    for _ in range(2):
        job = composer.frozen().load_sweep_config(master, overrides) if _ else composer.compose(overrides)
        assert plain(job) == plain(own)
        assert OmegaConf.get_type(job, "hydra") is OmegaConf.get_type(own, "hydra")
        assert OmegaConf.is_struct(job) == OmegaConf.is_struct(own)
        assert OmegaConf.is_readonly(job.hydra) == OmegaConf.is_readonly(own.hydra)
        HydraConfig.instance().set_config(job)
        for key in ("data", "network", "optimizer"):
            assert OmegaConf.to_container(job[key], resolve=True) == OmegaConf.to_container(own[key], resolve=True)
        assert [type(leaf) for leaf in leaves(job)] == [type(leaf) for leaf in leaves(own)]


def leaves(config):
    for key in sorted(config, key=str):
        node = config._get_node(key)
        if OmegaConf.is_dict(node) and not node._is_none():
            yield from leaves(node)
        else:
            yield node


def test_jobs_do_not_share_what_can_be_changed(loader):
    composer = Composer(loader)
    first = composer.compose(["seed=1"])
    first.data.slope = 99.0
    first.hydra.job.num = 5
    second = composer.compose(["seed=1"])
    assert second.data.slope == 2.0
    assert OmegaConf.is_missing(second.hydra.job, "num")


def test_hydra_composes_once_for_each_set_of_choices(loader, monkeypatch):
    composer = Composer(loader)
    calls = []
    load = composer._loader.load_configuration
    monkeypatch.setattr(composer._loader, "load_configuration", lambda *given: calls.append(given) or load(*given))
    for objective in ("squared", "huber"):
        for seed in range(10):
            job = composer.compose([f"objective={objective}", f"seed={seed}"])
            assert job.seed == seed
            assert job.hydra.runtime.choices.objective == objective
    assert len(calls) == 2


def test_a_frozen_loader_survives_changed_files_and_another_process(tmp_path):
    tree = tmp_path / "conf"
    subprocess.run(["cp", "-r", str(TREE), str(tree)], check=True)
    loader = open_tree(tree)
    master = loader.load_configuration("run", [], RunMode.MULTIRUN)
    composer = Composer(loader)
    overrides = ["objective=huber", "seed=1"]
    before = composer.compose(overrides)
    carried = pickle.dumps((composer.frozen(), master))
    (tree / "objective" / "huber.yaml").write_text("_target_: tests.Other\n")
    frozen, master = pickle.loads(carried)
    assert plain(frozen.load_sweep_config(master, overrides)) == plain(before)
    assert len(carried) < 200_000


def test_reading_a_job_gives_plain_containers(loader):
    job = Composer(loader).read(["experiment=robust", "network=mlp", "logger=offline"])
    assert job.unresolved["network"]["width"] == "${data.batch_size}"
    assert job.resolved["network"] == {"_target_": "tests.Mlp", "hidden": [16, 16], "width": 16}
    assert job.resolved["logger"]["group"] == "robust"
    assert not {"hydra", "study"} & (job.resolved.keys() | job.unresolved.keys())
    assert job.choices["network"] == "mlp"
    assert job.choices["experiment"] == "robust"
    assert not any(group.startswith("hydra") for group in job.choices)
    json.dumps(job.resolved)


def test_a_config_may_refer_to_hydras_node(loader):
    composer = Composer(loader)
    job = composer.read(["+label=${hydra:runtime.choices.objective}", "objective=huber"])
    assert job.resolved["label"] == "huber"
    excluded = "hydra.job.config.override_dirname.exclude_keys=[label]"
    job = composer.read([excluded, "+label=${hydra:job.override_dirname}", "seed=7"])
    assert job.resolved["label"] == "seed=7"


@pytest.mark.parametrize("overrides", JOBS, ids=" ".join)
def test_reading_gives_what_composing_gives(loader, overrides):
    composer = Composer(loader)
    job, read = composer.compose(overrides), composer.read(overrides)
    HydraConfig.instance().set_config(job)
    whole = OmegaConf.to_container(job, resolve=False)
    assert read.unresolved == {key: value for key, value in whole.items() if key not in ("hydra", "study")}
    assert read.resolved == {
        key: OmegaConf.to_container(OmegaConf.create(job), resolve=True)[key] for key in read.resolved
    }


def test_what_is_said_of_the_study_is_no_matter_of_a_job(loader):
    composer = Composer(loader)
    overrides = ["experiment=robust", "study.replicate.seed=7"]
    assert composer.read(overrides) == composer.read(overrides[:1])


def test_the_study_is_read_without_knowing_its_factors(loader):
    composer = Composer(loader)
    requests = composer.requests(
        ["experiment=robust", "problem=line", "objective=squared,huber", "study.replicate.seed=7"]
    )
    study = composer.study(requests)
    assert list(study["factors"]) == ["objective", "data.contamination.fraction", "problem"]
    assert study["replicate"] == {"seed": 7}
    assert composer.study(composer.requests(["objective=huber"])) is None


@pytest.mark.parametrize(
    ("words", "admitted"),
    [
        (["experiment=robust", "problem=line"], ["experiment=robust", "+problem=line"]),
        (
            ["-m", "problem=line,wave", "experiment=robust", "seed=0"],
            ["-m", "+problem=line,wave", "experiment=robust", "seed=0"],
        ),
        (
            ["experiment=robust", "+problem=line", "objective=huber"],
            ["experiment=robust", "+problem=line", "objective=huber"],
        ),
        (["problem=line"], ["problem=line"]),
        (["experiment=robust", "problm=line"], ["experiment=robust", "problm=line"]),
        (["--cfg", "job", "hydra/launcher=basic", "seed=1"], ["--cfg", "job", "hydra/launcher=basic", "seed=1"]),
    ],
)
def test_bundles_pass_hydra(words, admitted):
    assert admit_bundles(words, TREE) == admitted


def test_requests_are_read_from_the_command_line(loader):
    composer = Composer(loader)
    lines = [
        "objective=huber", "seed=range(0,3)", "optimizer.betas=[0.5,0.9],[0.8,0.99]", "name='a,b'", "~scheduler",
        "+data.x=1,2.5,true,null,text", "hydra.verbose=true", "hydra/launcher=basic", "network=glob(*)",
    ]  # fmt: skip
    requests = {request.key: request for request in composer.requests(lines)}
    assert {key: request.values for key, request in requests.items()} == {
        "objective": ("huber",),
        "seed": (0, 1, 2),
        "optimizer.betas": ((0.5, 0.9), (0.8, 0.99)),
        "name": ("a,b",),
        "scheduler": (),
        "data.x": (1, 2.5, True, None, "text"),
        "network": ("linear", "mlp"),
    }
    assert [key for key, request in requests.items() if request.swept] == [
        "seed",
        "optimizer.betas",
        "data.x",
        "network",
    ]
    assert requests["data.x"].prefix == "+"
    assert requests["scheduler"].prefix == "~"
    assert [request.line for request in requests.values()] == [line for line in lines if not line.startswith("hydra")]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["objective=hubr"], "huber"),
        (["optimzer.lr=1"], "optimizer"),
        (["optimizer.lrr=1"], "optimizer.lr"),
        (["seed=[1"], "cannot be read"),
        (["objective=null"], "name"),
        (["seed=0,1"], "sweep over them with -m"),
        (["objective=squared", "objective.delta=1"], "objective"),
    ],
)
def test_a_mistake_is_explained(loader, overrides, words):
    with pytest.raises(UserError, match=words):
        Composer(loader).compose(overrides)


def test_an_interval_is_refused(loader):
    with pytest.raises(UserError, match="interval"):
        Composer(loader).requests(["optimizer.lr=interval(0,1)"])


def test_a_further_folder_of_configs(tmp_path):
    (tmp_path / "objective").mkdir()
    (tmp_path / "objective" / "mine.yaml").write_text("_target_: mine.Loss\n")
    job = Composer(open_tree(TREE, extra=tmp_path)).compose(["objective=mine"])
    assert job.objective == {"_target_": "mine.Loss"}
    with pytest.raises(UserError, match="nowhere"):
        open_tree(TREE, extra=tmp_path / "nowhere")


def test_the_packaged_tree_composes():
    assert (conf_dir() / "run.yaml").exists()
    job = compose_job(["objective=huber", "objective.delta=0.5"])
    assert job.objective.delta == 0.5
    assert job.hydra.sweeper._target_ == "hydra_plugins.paribus.sweeper.ParibusSweeper"


def test_composing_imports_no_torch():
    code = (
        "import sys; from pathlib import Path; from paribus.config.compose import compose_job;"
        f"compose_job(['seed=1'], Path({str(TREE)!r}));"
        "print([m for m in ('torch', 'scipy', 'pandas', 'pydantic', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_thousand_jobs_take_ten_seconds_at_most(loader):
    begin = time.process_time()
    composer = Composer(loader)
    for seed in range(100):
        for objective in ("squared", "absolute", "huber"):
            for fraction in (0.0, 0.1):
                composer.read([f"objective={objective}", f"data.contamination.fraction={fraction}", f"seed={seed}"])
    assert (time.process_time() - begin) / 600 < 0.01
