"""A sweep never waits for what its own process holds: a launcher that leaves claims behind ends in an error."""

import pytest
from hydra.core.utils import JobReturn, JobStatus

from paribus.config.compose import Composer
from paribus.config.loading import open_tree
from paribus.study.locks import claim, is_own
from paribus.study.records import RECORD_FILE
from paribus.sweep import run_sweep


@pytest.mark.parametrize("way", ["raises", "says skipped"])
def test_a_claim_that_was_left_behind_is_not_waited_for(tmp_path, monkeypatch, capsys, way):
    claims = []

    def launch(jobs):
        claims.extend(claim(job.folder) for job in jobs if claims == [] or not is_own(job.folder))
        if way == "raises":
            raise OSError("the disk is full")
        return [JobReturn(status=JobStatus.COMPLETED, _return_value="skipped") for _ in jobs]

    composer = Composer(open_tree())
    with pytest.raises(OSError if way == "raises" else SystemExit):
        run_sweep(composer, ["data=sine", "network=mlp", "seed=0,1", f"output={tmp_path}"], launch)
    assert not list(tmp_path.rglob(RECORD_FILE))
    assert "waiting for" not in capsys.readouterr().out
    for each in claims:
        assert is_own(each.folder)
        each.release()
        assert not is_own(each.folder)


def test_another_process_is_not_this_one(tmp_path):
    assert not is_own(tmp_path)
    with claim(tmp_path, host="elsewhere"):
        assert not is_own(tmp_path)
