"""An audit finds nothing in honest records, and what was changed in others."""

import json

import pytest

from paribus.audit import audit, audit_command
from paribus.compose import Composer, open_tree
from paribus.errors import UserError
from paribus.job import Job
from paribus.population.workers import run_jobs
from paribus.study.keys import train_key
from paribus.study.records import read_record

SMALL = [
    "data=sine",
    "data.n_train=200",
    "data.batch_size=32",
    "network=mlp",
    "network.hidden=[8]",
    "trainer.max_steps=60",
]


@pytest.fixture
def runs(tmp_path):
    composer, jobs = Composer(open_tree()), []
    for arm in (["objective=gaussian"], ["objective=huber"], ["optimizer=sgd", "optimizer.lr=1e30"]):
        for seed in range(2):
            read = composer.read([*SMALL, *arm, f"seed={seed}", f"output={tmp_path}"])
            key = train_key(read.resolved)
            jobs.append(Job(key, read.resolved, read.choices, tmp_path / "scratch" / key))
    run_jobs(jobs, processes=1)
    return tmp_path / "scratch"


def test_honest_records_pass(runs, capsys):
    before = {path: path.read_text() for path in runs.glob("*/*")}
    differences = audit(runs, 6, exact=True)
    assert len({each.key for each in differences}) == 6
    assert all(each.is_fine for each in differences)
    assert all(each.parameters is not None and each.parameters <= 1e-10 for each in differences)
    assert audit_command(runs, 1, exact=False) == 0
    assert "1 of 1 runs are as they are alone" in capsys.readouterr().out
    assert {path: path.read_text() for path in runs.glob("*/*")} == before


def test_a_changed_metric_is_found(runs, capsys):
    folder = next(path.parent for path in runs.glob("*/run.json") if read_record(path.parent).status == "finished")
    record = json.loads((folder / "run.json").read_text())
    record["rows"][0]["metrics"]["mae"] *= 1.01
    (folder / "run.json").write_text(json.dumps(record))
    found = [each for each in audit(runs, 6, exact=False) if not each.is_fine]
    assert [(each.key, each.metric) for each in found] == [(record["key"], "mae")]
    assert found[0].relative == pytest.approx(0.01, rel=0.05)
    assert audit_command(runs, 6, exact=False) == 1


def test_nothing_to_audit_is_a_mistake(tmp_path, runs):
    with pytest.raises(UserError, match="nothing to audit"):
        audit(tmp_path / "empty", 3, exact=False)
    with pytest.raises(UserError, match="at least 1"):
        audit(runs, 0, exact=False)
