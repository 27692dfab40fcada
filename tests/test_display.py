"""The display of a sweep says what the records say."""

import io
import re
import shutil

from paribus.display import SweepDisplay, duration
from paribus.study.records import RunRecord, write_record


def record(status):
    return RunRecord(key="k", experiment="e", status=status, config={}, choices={}, seed=0)


def test_there_is_nothing_to_show_of_nothing():
    stream = io.StringIO()
    with SweepDisplay([], stream):
        pass
    assert stream.getvalue() == ""


def test_it_counts_what_is_written_while_it_watches(tmp_path):
    folders = [tmp_path / str(number) for number in range(6)]
    for folder in folders:
        folder.mkdir()
    write_record(folders[5], record("failed"))  # of an earlier sweep: to be run again
    stream = io.StringIO()
    with SweepDisplay(folders, stream) as display:
        assert display.line().startswith("0 of 6 done; ")
        for folder, status in zip(folders, ("finished", "diverged", "failed", "running"), strict=False):
            write_record(folder, record(status))
        assert display.line().startswith("3 of 6 done, 1 running, 1 failed, 1 diverged; ")
        assert re.search("; 50%, about .* left$", display.line())
        (tmp_path / ".population" / "a").mkdir(parents=True)
        (tmp_path / ".population" / "a" / "progress").write_text("1.5")
        assert "; 75%, about " in display.line()
        shutil.rmtree(tmp_path / ".population")
        write_record(folders[3], record("finished"))
        write_record(folders[4], record("finished"))
        write_record(folders[5], record("finished"))
    assert stream.getvalue().startswith("6 of 6 done, 1 failed, 1 diverged; ")


def test_durations_are_short():
    assert [duration(seconds) for seconds in (0.4, 59, 150, 7200)] == ["0 s", "59 s", "2 min", "2.0 h"]
