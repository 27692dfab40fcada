"""The command line as a user types it, in this process: what is printed, what is left, which code it exits with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paribus.cli import main
from paribus.commands.arguments import RUN_OPTIONS, parsers
from paribus.study.records import read_records
from paribus.study.states import RUN_AGAIN


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*words):
    return main(["run", "trainer.max_steps=20", "trainer.validate_every=10", *words])


def records(folder="runs"):
    return list(read_records(Path(folder)))


def test_a_run_leaves_its_record_curves_config_and_fit(capsys):
    assert run("data=diabetes", "objective=huber", "objective.delta=0.5", "seed=3") == 0
    (record,) = records()
    assert record.status == "finished"
    assert record.config["objective"] == {"_target_": "paribus.objectives.Huber", "delta": 0.5}
    assert record.choices["objective"] == "huber"
    assert record.seed == 3
    assert record.steps == 20
    assert set(record.rows[0].metrics) == {"mae", "rmse", "median_absolute_error", "r2", "train_rmse"}
    assert {"data", "split", "corruption", "order", "init/network"} <= set(record.pairing)
    assert record.provenance["versions"]["torch"]
    folder = Path("runs/scratch") / record.key
    assert {path.name for path in folder.iterdir()} == {"run.json", "config.yaml", "curves.csv", "fit.json"}
    assert f"{record.rows[0].metrics['mae']:.6g}" in capsys.readouterr().out


def test_the_same_command_again_trains_nothing(capsys):
    run("data=diabetes")
    before = (records()[0].started, records()[0].seconds)
    assert run("data=diabetes") == 0
    assert "has this run already" in capsys.readouterr().out
    assert (records()[0].started, records()[0].seconds) == before


@pytest.mark.parametrize("words", [["seed=1"], ["-m", "seed=0,1"]])
def test_what_is_recorded_is_told_at_once(words):
    words = ["run", "data=diabetes", "trainer.max_steps=5", *words]
    assert main(words) == 0
    code = (
        f"import sys; from paribus.cli import main; code = main({words!r})\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    assert "recorded already" in done.stderr or "has this run already" in done.stdout
    assert "0 of 0" not in done.stderr


def test_a_recorded_run_with_a_mistake_beside_it_is_refused(capsys):
    run("data=diabetes")
    assert run("data=diabetes", "rerun=sometimes") == 2
    assert run("data=diabetes", "evaluation._target_=os.system") == 2


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not():
    run("data=auto_mpg", "network=mlp")
    first = records()[0]
    run("data=auto_mpg", "network=mlp", "rerun=all")
    again = records()[0]
    assert (again.rows, again.pairing) == (first.rows, first.pairing)
    run("data=auto_mpg", "network=mlp", "seed=1")
    other = next(record for record in records() if record.seed == 1)
    assert all(other.pairing[stream] != first.pairing[stream] for stream in ("split", "init/network", "order"))


@pytest.mark.parametrize(("change", "kept"), [
    ("objective=student_t", {"data", "split", "corruption", "init/network", "order"}),
    ("optimizer=sgd", {"data", "split", "corruption", "init/network", "order"}),
    ("data.contamination.fraction=0.2", {"data", "split", "init/network", "order"}),
    ("network=mlp", {"data", "split", "corruption", "order"}),
])  # fmt: skip
def test_a_change_of_one_part_leaves_the_other_streams(change, kept):
    run("data=diabetes")
    before = records()[0].pairing
    run("data=diabetes", change, "name=other")
    after = records("runs/other")[0].pairing
    assert {name for name in before if after.get(name) == before[name]} == kept


@pytest.mark.parametrize(("words", "message"), [
    ("optimzer.lr=1", "Did you mean 'optimizer'?"),
    ("objective=hubr", "Did you mean 'huber'?"),
    ("optimizer.lr=-1", "optimizer.lr=-1"),
    ("trainer.max_epochs=abc", "expected a whole number"),
    ("objective=huber objective.delta=0", "objective.delta=0"),
    ("objective._target_=os.system", "not a target that a config may name"),
    ("model._target_=os.system", "there is no key 'model'"),
    ("data=table data.path=missing.csv data.target=y", "data.path=missing.csv: there is no such file"),
    ("data=table data.path=/etc/passwd data.target=y", "data.path=/etc/passwd: a file of type ''"),
    ("data=table data.path=/nowhere/x.csv data.target=y", "data.path=/nowhere/x.csv: there is no such file"),
    ("=3", "=3: expected <key>=<value>"),
    ("objective.delta=0", "These have it: objective=huber"),
    ("-m objective=squared,huber objective.delta=1,2", "a bundle (study.factors)"),
    ("output=/proc/x", "output=FOLDER"),
    ("-m output=/proc/x seed=0,1", "output=FOLDER"),
    ("output=file data=line", "output=FOLDER"),
    ("data=table", "data.path=<value>"),
    ("-m seed=", "nothing is left to run"),
    ("experiment=a,b", "paribus run experiment=a\n"),
    ("-m experiment=a,b", "paribus run experiment=b"),
    ("rerun=sometimes", "rerun=sometimes"),
    ("objective=null", "expected to be a name"),
    ("objective=[squared,huber]", "a sweep is -m objective=squared,huber"),
    ("objective={}", "expected objective=NAME"),
    ("name=../x", "name=../x: expected the plain name of a folder"),
    ("name=", "name=: expected the plain name of a folder"),
    ("name=.", "expected the plain name of a folder"),
    ("-m name=a/b seed=0,1", "expected the plain name of a folder"),
    ("seed=-1", "seed=-1: expected a whole number of at least 0"),
    ("-m seed=-1,2", "seed=-1: expected a whole number of at least 0"),
    ("-m objective=huber,squared optimizer.lr=-1,1", "optimizer.lr=-1"),
])  # fmt: skip
def test_a_mistake_is_one_message_and_exit_code_2(words, message, capsys):
    Path("file").write_text("no folder")
    assert main(["run", *words.split()]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("paribus: ")
    assert "Traceback" not in said.err + said.out
    assert not records()
    assert not list(Path.cwd().parent.glob("x*"))


@pytest.mark.parametrize("words", ["name=a/b", "seed=-1", "objective=[squared,huber]", "-m seed=-1,0"])
def test_plan_refuses_what_run_refuses(words, capsys):
    assert main(["plan", *words.split()]) == 2
    assert "expected" in capsys.readouterr().err


def test_a_factor_that_is_no_key_is_told_as_a_factor(capsys):
    assert main(["plan", "experiment=robust_regression_demo", "+study.factors.foo=[1,2]"]) == 2
    assert "study.factors.foo: foo=1: there is no key 'foo'" in capsys.readouterr().err


def test_loggers_stand_side_by_side(capsys):
    assert main(["plan", "logger=[none,tensorboard]"]) == 0


@pytest.mark.parametrize(("words", "message"), [
    ("runn", "there is no command 'runn'. Did you mean 'run'? Commands: run, plan"),
    ("data=diabetes", "Did you mean 'paribus run data=diabetes'?"),
    ("plan --jsn", "--jsn: paribus plan takes no such option. Did you mean '--json'?"),
    ("verify a b", "b: paribus verify takes no such argument"),
    ("report", "the following arguments are required: DIR (paribus report --help"),
    ("audit a --members x", "invalid int value"),
    ("completion bsh", "'bash'"),
    ("list --config-dir nope", "nope is not a folder"),
    ("evaluate . evaluation=regression --config-dir nope", "no records"),
    ("run --shell-completion install=bash", "paribus completion --help"),
    ("run data=line --key 0123", "data=line: paribus run takes no such argument"),
])  # fmt: skip
def test_a_mistake_in_the_words_of_a_command_is_told_like_any_other(words, message, capsys):
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.startswith("paribus: ")
    assert "usage" not in said.err + said.out


@pytest.mark.parametrize("path", ["/nope", "/etc/passwd", "nope"])
def test_a_name_is_proposed_only_where_it_is_close(path, capsys):
    for name in ("opt", "first", "pam.d"):
        Path(name).mkdir()
    assert main(["verify", path]) == 2
    assert "Did you mean" not in capsys.readouterr().err
    assert main(["verify", "frst"]) == 2
    assert "Did you mean 'first'?" in capsys.readouterr().err


def test_a_file_with_too_few_rows_is_named(capsys):
    Path("few.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    assert main(["run", "data=table", "data.path=few.csv", "data.target=y", "data.test_fraction=0.4"]) == 2
    told = "few.csv: data.validation_fraction=0.1 of 3 rows is no row at all; expected more than 0.167, or 0"
    assert told in capsys.readouterr().err


def test_without_a_command_there_is_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_a_further_folder_of_configs_serves_plan_list_and_evaluate(capsys):
    Path("more/objective").mkdir(parents=True)
    Path("more/evaluation").mkdir()
    Path("more/objective/mild.yaml").write_text("# a mild one\n_target_: paribus.objectives.Huber\ndelta: 9.0\n")
    Path("more/evaluation/mine.yaml").write_text("_target_: paribus.evaluation.Recentred\ncorrections: [none]\n")
    assert main(["list", "objective", "--config-dir", "more"]) == 0
    assert "a mild one" in capsys.readouterr().out
    assert main(["plan", "objective=mild", "--config-dir", "more", "seed=1"]) == 0
    assert "delta=9" in capsys.readouterr().out
    run("data=diabetes", "trainer.save_checkpoint=true")
    assert main(["evaluate", "runs/scratch", "--config-dir", "more", "evaluation=mine"]) == 0


def test_a_diverging_run_is_recorded_as_such(capsys):
    assert run("optimizer=sgd", "optimizer.lr=1e30") == 1
    (record,) = records()
    assert record.status == "diverged"
    assert record.failure.kind == "NonFiniteLoss"
    assert record.failure.step < 20


def test_a_run_stopped_by_its_time_limit_keeps_its_curves():
    assert run("trainer.max_minutes=1e-9") == 1
    (record,) = records()
    assert (record.status, record.failure.kind) == ("failed", "TimeLimitReached")
    assert (Path("runs/scratch") / record.key / "curves.csv").exists()


def test_a_recorded_run_can_be_run_again_by_its_key(capsys):
    run("data=diabetes")
    (record,) = records()
    assert main(["run", "--key", record.key]) == 0
    (again,) = records()
    assert again.rows == record.rows
    assert main(["run", "--key", "0" * 12]) == 2
    assert "expected the key of one run" in capsys.readouterr().err


def test_evaluate_adds_rows_without_training(capsys):
    run("data=diabetes", "trainer.save_checkpoint=true")
    (record,) = records()
    assert main(["evaluate", "runs/scratch", "evaluation=regression"]) == 0
    (again,) = records()
    assert again.rows == record.rows
    assert main(["evaluate", "runs/scratch", "optimizer=sgd"]) == 2
    assert "nothing is trained" in capsys.readouterr().err


def test_a_sweep_reports_and_goes_on_where_it_was(capsys):
    words = ["-m", "data=diabetes", "objective=squared,absolute", "seed=0,1,2"]
    assert run(*words) == 0
    assert len(records()) == 6
    assert Path("runs/scratch/report.html").exists()
    started = {record.key: record.started for record in records()}
    assert run(*words[:-1], "seed=0,1,2,3") == 0
    after = {record.key: record.started for record in records()}
    assert len(after) == 8
    assert {key: after[key] for key in started} == started


def test_list_describes_every_choice(capsys):
    assert main(["list", "objective"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[0] == "huber" and "linear beyond" in line for line in lines)
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)
    assert main(["list", "objectiv"]) == 2
    assert "'objective'" in capsys.readouterr().err


def test_the_help_of_run_names_its_flags_policies_and_launchers(capsys):
    assert main(["run", "--help"]) == 0
    said = capsys.readouterr().out
    for word in (*RUN_OPTIONS, "rerun=", *RUN_AGAIN, "hydra/launcher=", "completion", "name=", "output="):
        assert word in said, word


def test_the_page_on_the_command_line_names_all_there_is():
    page = (Path(__file__).parents[1] / "docs" / "command_line.md").read_text()
    _, commands = parsers()
    for name, parser in commands.items():
        assert f"paribus {name}" in page
        assert all(f"`{flag}" in page for flag in parser.options if flag not in ("-h", "--help")), name
    assert all(f"`{word}" in page for word in (*RUN_OPTIONS, *RUN_AGAIN)), page


def test_plan_as_json(capsys):
    assert main(["plan", "--json", "experiment=robust_regression_demo", "seed=0"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["jobs"]) == 24


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["run", "--cfg", "job"], ["list"], ["plan", "seed=1"]]
)
def test_quick_answers_import_neither_torch_nor_lightning(words):
    code = (
        "import sys; from paribus.cli import main\n"
        f"try: main({words!r})\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'pytorch_lightning', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_another_evaluation_adds_rows_of_a_within_run_factor_without_training(capsys):
    words = ["-m", "data=diabetes", "objective=squared,absolute", "seed=0,1,2"]
    run(*words, "trainer.save_checkpoint=true")
    before = {record.key: record for record in records()}
    assert main(["evaluate", "runs/scratch", "evaluation=recentred"]) == 0
    for record in records():
        old = before[record.key]
        assert record.rows[:1] == old.rows
        assert [row.levels.get("correction") for row in record.rows] == [None, "none", "mean", "median"]
        assert record.rows[1].metrics.items() <= old.rows[0].metrics.items()
        assert (record.started, record.steps) == (old.started, old.steps)
    assert main(["report", "runs/scratch"]) == 0
    assert "correction" in Path("runs/scratch/results.csv").read_text().splitlines()[0]
    capsys.readouterr()
    assert run(*words, "trainer.save_checkpoint=true", "evaluation=recentred") == 0  # nothing is left to do
    assert {record.key: record.started for record in records()} == {key: old.started for key, old in before.items()}


def test_a_confounded_folder_is_not_verified(capsys):
    words = ["experiment=recentring", "seed=0,1,2", "data.contamination.placement=random", "trainer.max_steps=5"]
    assert main(["run", *words]) == 0
    capsys.readouterr()
    main(["verify", "runs/recentring"])
    assert "Confounded" not in capsys.readouterr().err
    for path in Path("runs/recentring").glob("*/run.json"):
        record = json.loads(path.read_text())
        if record["choices"]["objective"] == "absolute":
            record["config"]["optimizer"]["lr"] = 0.5
            path.write_text(json.dumps(record))
    assert main(["verify", "runs/recentring"]) == 1
    assert "Confounded" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["verify", "report", "compare", "evaluate"])
def test_a_folder_without_records_is_a_mistake_in_the_path(command, capsys):
    Path("empty/below").mkdir(parents=True)
    assert main([command, "empty", *(["evaluation=regression"] if command == "evaluate" else [])]) == 2
    assert "no records below empty" in capsys.readouterr().err
    assert not list(Path("empty").rglob("*.*"))


def test_nothing_is_verified_where_nothing_is_claimed(capsys):
    assert run("data=diabetes") == 0
    assert main(["verify", "runs/scratch"]) == 3
    assert "declares no claims" in capsys.readouterr().out


def test_claims_about_runs_that_all_diverged_are_not_supported():
    run("experiment=recentring", "seed=0,1,2", "data.contamination.placement=random")
    for path in Path("runs/recentring").glob("*/run.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "status": "diverged", "rows": []}))
    assert main(["verify", "runs/recentring"]) in (1, 3)
