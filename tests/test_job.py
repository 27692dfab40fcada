"""One run from its config to its record: what is kept, put back, gone on from, and refused when things change."""

import pytest
import torch
from pytorch_lightning.loggers.logger import DummyLogger

import paribus.job
from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.errors import NonFiniteLoss, UserError
from paribus.families import Regression
from paribus.job import Job, Run, add_rows, run_job
from paribus.provenance import Usage
from paribus.study.locks import ClaimLost
from paribus.study.records import RECORD_FILE, read_record

FAST = ["trainer.max_steps=40", "trainer.validate_every=10", "data.batch_size=16"]


@pytest.fixture(scope="module")
def composer():
    return Composer(open_tree())


@pytest.fixture
def table(tmp_path):
    """A file of data; called with a slope, writes it anew."""

    def write(slope=2.0):
        path = tmp_path / "table.csv"
        path.write_text("x,y\n" + "".join(f"{i / 50},{slope * i / 50 + i % 3}\n" for i in range(100)))
        return path

    write()
    return write


@pytest.fixture
def job(composer, tmp_path):
    """A job on the file."""

    def compose(*words):
        data = ["data=table", f"data.path={tmp_path / 'table.csv'}", "data.target=y"]
        read = composer.read([*data, *FAST, f"output={tmp_path / 'runs'}", *words])
        return Job.of(read.resolved, read.choices)

    return compose


def run(job):
    return run_job(job, progress=False, fence=lambda: None)


def test_what_cannot_be_evaluated_is_refused_before_it_is_trained(job, table, monkeypatch):
    each = job("evaluation=recentred", "data.validation_fraction=0")
    monkeypatch.setattr(paribus.job.Training, "fit", lambda *_: pytest.fail("it was trained"))
    with pytest.raises(UserError, match="needs a validation part"):
        run(each)
    assert list(each.folder.iterdir()) == []


def lost():
    raise ClaimLost("taken over")


def dies_at(step):
    """A `Regression.loss` that ends as a killed process would: nothing is written after."""
    whole = Regression.loss

    def loss(self, batch, noise):
        if self.step == step:
            raise RuntimeError("power cut")
        return whole(self, batch, noise)

    return loss


def test_a_mistake_in_the_input_puts_the_record_back(job, table):
    run(job())
    before = {path.name: path.read_text() for path in job().folder.iterdir()}
    table().write_text("x,y\n1,2\nno number,3\n")
    with pytest.raises(UserError, match="no number"):
        run(job("rerun=all"))
    assert {path.name: path.read_text() for path in job().folder.iterdir()} == before


def test_a_mistake_without_an_earlier_record_leaves_none(job, table):
    table().write_text("x,y\n")
    with pytest.raises(UserError):
        run(job())
    assert list(job().folder.iterdir()) == []


def test_rows_added_by_training_again_join_the_old_ones(job, table, monkeypatch):
    old, other = run(job()), job("evaluation=recentred")
    on_disk = []
    fit = paribus.job.Training.fit

    def watched(*arguments):
        on_disk.append(read_record(other.folder))
        fit(*arguments)

    monkeypatch.setattr(paribus.job.Training, "fit", watched)
    new = add_rows(other, old, progress=False, fence=lambda: None)
    assert on_disk == [old]  # training again puts nothing at risk
    assert new.rows[0] == old.rows[0]
    assert [row.levels.get("correction") for row in new.rows] == [None, "none", "mean", "median"]
    names = [measure["name"] for measure in new.measures]
    assert {measure["name"] for measure in old.measures} <= set(names)
    assert len(names) == len(set(names))
    assert read_record(other.folder) == new


def test_measures_of_old_rows_are_kept(job, table):
    old = run(job())
    own = ({"name": "only here", "direction": "minimise", "unit": "", "scale": "log"},)
    fields = {**old.__dict__, "measures": own}
    new = add_rows(job("evaluation=recentred"), type(old)(**fields), progress=False, fence=lambda: None)
    assert "only here" in [measure["name"] for measure in new.measures]


def test_a_failed_attempt_at_more_rows_leaves_the_record(job, table, monkeypatch, capsys):
    old, text = run(job()), (job().folder / RECORD_FILE).read_text()
    monkeypatch.setattr(Regression, "loss", dies_at(20))
    ended = add_rows(job("evaluation=recentred"), old, progress=False, fence=lambda: None)
    assert ended.status == "failed"
    assert "power cut" in capsys.readouterr().err
    assert (job().folder / RECORD_FILE).read_text() == text


@pytest.mark.parametrize("change", ["code", "data"])
def test_rows_are_not_mixed_with_those_of_other_code_or_data(job, table, monkeypatch, capsys, change):
    weights = ["trainer.save_checkpoint=true"] if change == "data" else []
    old, text = run(job(*weights)), (job().folder / RECORD_FILE).read_text()
    if change == "code":
        monkeypatch.setattr(paribus.job, "code_hash", lambda: "other")
    else:
        table(slope=3.0)
    assert add_rows(job("evaluation=recentred", *weights), old, progress=False, fence=lambda: None) is old
    assert "rerun=changed" in capsys.readouterr().err
    assert (job().folder / RECORD_FILE).read_text() == text


def test_kept_weights_are_evaluated_by_other_code(job, table, monkeypatch):
    old = run(job("trainer.save_checkpoint=true"))
    monkeypatch.setattr(paribus.job, "code_hash", lambda: "other")
    assert len(add_rows(job("evaluation=recentred"), old, progress=False, fence=lambda: None).rows) == 4


@pytest.fixture
def cut(job, table, monkeypatch):
    """A job that stopped at step 20, leaving a checkpoint of step 10; as it is to go on."""
    with monkeypatch.context() as patch:
        patch.setattr(Regression, "loss", dies_at(20))
        assert run(job("trainer.resume_seconds=0")).status == "failed"
    assert (job().folder / "resume.ckpt").exists()
    return job("trainer.resume_seconds=0")


def test_a_run_goes_on_and_counts_the_seconds_of_all_legs(cut, tmp_path, capsys, job):
    path = cut.folder / "resume.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert 0 < checkpoint["callbacks"]["ResumeCheckpoint"]["seconds"] < 60
    checkpoint["callbacks"]["ResumeCheckpoint"]["seconds"] = 1000.0
    torch.save(checkpoint, path)
    resumed = run(cut)
    assert "goes on from step 10" in capsys.readouterr().err
    assert 1000.0 < resumed.seconds < 1060.0
    assert resumed.rows == run(job(f"output={tmp_path / 'whole'}")).rows


@pytest.mark.parametrize("change", ["code", "data"])
def test_a_run_does_not_go_on_with_other_code_or_data(cut, table, job, tmp_path, monkeypatch, capsys, change):
    if change == "code":
        monkeypatch.setattr(paribus.job, "code_hash", lambda: "other")
    else:
        table(slope=3.0)
    anew = run(cut)
    assert "other code or from other data: training begins anew" in capsys.readouterr().err
    whole = run(job(f"output={tmp_path / 'whole'}"))
    assert (anew.rows, anew.pairing) == (whole.rows, whole.pairing)
    assert anew.status == "finished"


def test_running_all_again_begins_anew(job, cut, capsys):
    assert run(job("trainer.resume_seconds=0", "rerun=all")).status == "finished"
    assert "goes on" not in capsys.readouterr().err
    assert not (cut.folder / "resume.ckpt").exists()


def test_float64_weights_are_evaluated_in_float64(job, table):
    words = ["trainer.precision=64-true", "trainer.save_checkpoint=true", "network=mlp"]
    old = run(job(*words))
    again = add_rows(job(*words), old, progress=False, fence=lambda: None)
    assert again.rows == old.rows


def test_a_non_finite_weight_after_a_finite_last_loss_is_divergence(job, table):
    ended = run(job("trainer.max_steps=1", "optimizer=sgd", "optimizer.lr=3e38", "data.target_scaling=none"))
    assert (ended.status, ended.failure.kind) == ("diverged", NonFiniteLoss.__name__)
    assert ended.failure.step == 1
    assert all(value < float("inf") for value in ended.failure.last_metrics.values())


@pytest.mark.parametrize("error", [None, RuntimeError("failed")])
def test_who_has_lost_the_claim_writes_no_record(job, table, error):
    mine = job()
    run = Run(mine, Usage(), lost)
    concluded = []
    run.loggers = [type("Noting", (DummyLogger,), {"finalize": lambda self, status: concluded.append(status)})()]
    run.prepare()
    before = {path.name: path.read_text() for path in mine.folder.iterdir()}
    with pytest.raises(ClaimLost):
        run.close(error, Usage().so_far())
    with pytest.raises(ClaimLost):
        run.withdraw()
    assert {path.name: path.read_text() for path in mine.folder.iterdir()} == before
    assert concluded == []


@pytest.mark.parametrize("words", [[], ["trainer.save_checkpoint=true"]])
def test_who_has_lost_the_claim_adds_no_rows(job, table, words):
    old, text = run(job(*words)), (job().folder / RECORD_FILE).read_text()
    with pytest.raises(ClaimLost):
        add_rows(job("evaluation=recentred", *words), old, progress=False, fence=lost)
    assert (job().folder / RECORD_FILE).read_text() == text


def test_loggers_are_told_after_the_record_is_written(job, table):
    mine, seen = job(), []
    run = Run(mine, Usage(), lambda: None)

    class Reading(DummyLogger):
        def finalize(self, status):
            seen.append(read_record(mine.folder).status)

    run.loggers = [Reading()]
    run.prepare()
    run.close(RuntimeError("failed"), Usage().so_far())
    assert seen == ["failed"]


def test_a_record_names_the_files_of_its_data(job, table, tmp_path):
    files = run(job()).provenance["files"]
    path = tmp_path / "table.csv"
    assert {name: size for name, (size, _) in files.items()} == {str(path): path.stat().st_size}
