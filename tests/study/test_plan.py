import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from paribus.errors import UserError
from paribus.study.expansion import Request
from paribus.study.keys import evaluation_key
from paribus.study.locks import claim
from paribus.study.plan import JobConfig
from paribus.study.plan_view import plan_json, plan_text
from paribus.study.planning import make_plan
from paribus.study.records import RECORD_FILE, Failure, Row, RunRecord

STUDY = {
    "question": "Which loss survives outliers?",
    "factors": {"objective": ["squared", "huber"], "data.fraction": [0.0, 0.2]},
    "replicate": {"seed": 3},
    "metrics": {"mae": {"direction": "minimise"}},
}


@pytest.fixture
def read(tmp_path):
    """Composes as Hydra would: overrides of the form key=value over a small config."""

    def compose(overrides):
        config = {
            "name": "study",
            "output": str(tmp_path),
            "seed": 0,
            "rerun": "failed",
            "objective": {"_target_": "squared"},
            "data": {"_target_": "line", "fraction": 0.0, "size": 100},
            "evaluation": {"_target_": "E", "bins": 10},
            "trainer": {"max_steps": 10, "save_checkpoint": False},
        }
        for line in overrides:
            key, _, text = line.partition("=")
            try:
                value = json.loads(text)
            except ValueError:
                value = text
            *above, last = key.split(".")
            node = config
            for name in above:
                node = node[name]
            node[last] = {"_target_": value} if key == "objective" else value
        return JobConfig(config, config, {"objective": config["objective"]["_target_"]})

    return compose


@pytest.fixture
def plan(read):
    return lambda *lines, declared=STUDY, code="now": make_plan(declared, [request(line) for line in lines], read, code)


def request(line):
    key, _, text = line.partition("=")
    values = tuple(json.loads(f"[{text}]") if text[0].isdigit() else text.split(","))
    return Request(key, values, line, len(values) > 1)


def write(job, status="finished", code="now", seconds=10.0, failure=None, evaluated=True):
    config = job.config.resolved
    rows = (Row({"mae": 1.0}, evaluation=evaluation_key(job.key, config["evaluation"])),) if evaluated else ()
    record = RunRecord(
        job.key,
        "study",
        status,
        config,
        {},
        config["seed"],
        rows,
        seconds=seconds,
        failure=failure,
        provenance={"code": code},
    )
    # Not write_record, which waits for the disk: some tests write a thousand.
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / RECORD_FILE).write_text(json.dumps(asdict(record)))


def test_a_fresh_study_is_all_due(plan, tmp_path):
    fresh = plan()
    assert len(fresh.jobs) == len(fresh.due) == 12
    assert fresh.states == {"new": 12}
    assert len(fresh.arms()) == 4
    assert fresh.folder == tmp_path / "study"
    assert fresh.expected_seconds is None
    assert len({job.key for job in fresh.jobs}) == 12


def test_each_record_gives_its_state(plan):
    jobs = plan().jobs
    write(jobs[0])
    write(jobs[1], code="before")
    write(jobs[2], "failed", failure=Failure("MemoryError", "too large"))
    write(jobs[3], "diverged", failure=Failure("NonFiniteLoss", "nan"))
    write(jobs[4], "interrupted", failure=Failure("KeyboardInterrupt", ""))
    write(jobs[5], "running")
    write(jobs[6]), (jobs[6].folder / RECORD_FILE).write_text('{"key": "tru')
    write(jobs[7]), (jobs[7].folder / RECORD_FILE).write_text('{"schema": 99}')
    write(jobs[8], evaluated=False)
    held = claim(jobs[9].folder)
    write(jobs[10], "running")
    also_held = claim(jobs[10].folder)
    now = plan()
    assert [job.state for job in now.jobs] == [
        "finished", "other code", "failed", "diverged", "interrupted", "interrupted", "unreadable", "unreadable",
        "incomplete", "running", "running", "new",
    ]  # fmt: skip
    assert now.jobs[2].note == "MemoryError: too large"
    assert "schema 99" in now.jobs[7].note
    assert "process" in now.jobs[9].note
    due = {
        policy: [i for i, job in enumerate(now.jobs) if job in replace(now, rerun=policy).due]
        for policy in ("none", "failed", "all")
    }
    assert due == {"none": [8, 11], "failed": [2, 4, 5, 6, 7, 8, 11], "all": [0, 1, 2, 3, 4, 5, 6, 7, 8, 11]}
    held.release()
    also_held.release()
    assert [job.state for job in now.refreshed().jobs[9:11]] == ["new", "interrupted"]
    text = plan_text(now)
    assert "rerun=changed" in text
    assert "MemoryError: too large" in text


def test_weights_that_were_not_kept_make_a_run_incomplete(plan):
    job = plan().jobs[0]
    write(job)
    assert plan("trainer.save_checkpoint=true").jobs[0].state == "incomplete"
    (job.folder / "last.ckpt").write_text("")
    assert plan("trainer.save_checkpoint=true").jobs[0].state == "finished"


def test_another_evaluation_leaves_the_run_but_lacks_its_rows(plan):
    write(plan().jobs[0])
    other = plan("evaluation.bins=20").jobs[0]
    assert other.key == plan().jobs[0].key
    assert other.state == "incomplete"


def test_the_time_expected_is_the_median_of_the_arm_else_of_all(plan):
    jobs = plan().jobs
    for job, seconds in zip((jobs[0], jobs[4], jobs[1]), (10.0, 20.0, 100.0), strict=True):
        write(job, seconds=seconds)
    # Arm 0 lacks one run of 15 s, arm 1 two of 100 s, arms 2 and 3 three each of the overall median, 20 s.
    assert plan().expected_seconds == 15 + 200 + 120


def test_what_is_held_equal(plan):
    assert plan().held_equal == {
        "data._target_": "line",
        "data.size": 100,
        "evaluation._target_": "E",
        "evaluation.bins": 10,
        "trainer.max_steps": 10,
    }


def test_what_follows_a_factor_is_told(plan, read):
    def following(overrides):
        made = read(overrides)
        size = 100 + 50 * made.resolved["seed"]
        unresolved = {**made.unresolved, "data": {**made.unresolved["data"], "size": "${seed}"}}
        return replace(
            made, unresolved=unresolved, resolved={**made.resolved, "data": {**made.resolved["data"], "size": size}}
        )

    made = make_plan(STUDY, [], following, "now")
    assert made.derived == {"data.size": (100, 150, 200)}
    assert "data.size: 100, 150, 200" in plan_text(made)
    assert plan().derived == {}
    assert "Follows" not in plan_text(plan())


def test_a_factor_or_replicate_with_one_level_is_held_equal_too(plan):
    held = plan("seed=1", "objective=huber").held_equal
    assert held["seed"] == 1
    assert held["objective._target_"] == "huber"
    assert "data.fraction" not in held


def test_the_text_shows_arms_states_and_time(plan):
    for job in plan().jobs[:4]:
        write(job, seconds=90.0)
    text = plan_text(plan())
    assert text.startswith("Which loss survives outliers?\n")
    assert "objective  data.fraction  finished  new  a run takes\n" in text
    assert "squared    0.2                   1    2         90 s\n" in text
    assert "4 arms x 3 of seed = 12 jobs, 8 to run, about 12 min" in text
    assert "size=100" in text


def test_the_json_is_plain(plan):
    write(plan().jobs[0])
    got = json.loads(json.dumps(plan_json(plan())))
    assert got["due"] == 11
    assert got["states"] == {"finished": 1, "new": 11}
    assert got["factors"]["objective"] == ["squared", "huber"]
    assert got["jobs"][0]["levels"] == {"objective": "squared", "data.fraction": 0.0}
    assert [job["due"] for job in got["jobs"]] == [False] + [True] * 11


def test_a_sweep_without_a_study(plan):
    got = plan("objective=squared,huber", "seed=4,5", declared=None)
    assert [(job.levels["objective"], job.replicate) for job in got.jobs] == [
        ("squared", 4), ("huber", 4), ("squared", 5), ("huber", 5)
    ]  # fmt: skip


def test_a_narrowed_study_finds_the_records_of_the_whole(plan):
    for job in plan().jobs:
        write(job)
    assert plan("objective=huber", "seed=1").states == {"finished": 2}


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"evaluation.bins": [10, 20]}, r"duplicate arm.*evaluation.bins=10.*evaluation.bins=20.*evaluated"),
        ({"name": ["a", "b"]}, r"duplicate arm.*name=a.*name=b"),
        (
            {"way": {"one": {"objective": "huber", "data.size": 5}, "two": {"objective": "huber", "data.size": 5.0}}},
            "one arm twice",
        ),
        ({"copy": {"one": {"objective": "squared"}, "two": {"data.size": 100}}}, r"duplicate arm.*copy=one.*copy=two"),
    ],
)
def test_a_duplicate_arm_is_refused(plan, factors, words):
    with pytest.raises(UserError, match=words):
        plan(declared={**STUDY, "factors": factors})


def test_a_confound_is_refused(read):
    def confounded(overrides):
        job = read(overrides)
        if job.choices["objective"] == "huber":
            job.unresolved["data"]["size"] = 99
        return job

    with pytest.raises(
        UserError, match=r"data.size=99 in 6 of 12, such as job \(objective=huber, data.fraction=0, seed=0"
    ):
        make_plan(STUDY, [], confounded)


def test_an_unknown_policy_is_refused(plan):
    with pytest.raises(UserError, match="rerun=always: expected one of none, failed, changed, all"):
        plan("rerun=always")


def test_a_thousand_records_are_read_in_a_second(plan):
    jobs = plan("seed=" + ",".join(map(str, range(250)))).jobs
    for job in jobs:
        write(job)
    begin = time.process_time()
    assert plan("seed=" + ",".join(map(str, range(250)))).states == {"finished": 1000}
    assert time.process_time() - begin < 1


def test_planning_imports_nothing_heavy():
    code = (
        "import sys, paribus.study.plan;"
        "heavy = ('torch', 'scipy', 'pandas', 'pydantic', 'numpy', 'hydra', 'omegaconf');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"


def test_levels_that_a_record_cannot_tell_apart_are_refused(plan):
    """The default size is that of `plain`, so what runs as `narrow` has all that `plain` sets."""
    bundle = {"kind": {"plain": {"data.size": 100}, "narrow": {"data.width": 7}}}
    with pytest.raises(
        UserError, match=r"\(kind=narrow, seed=0\) would not be found again.*several levels.*plain, narrow"
    ):
        plan(declared={**STUDY, "factors": bundle})
    bundle["kind"]["narrow"]["data.size"] = 100
    assert len(plan(declared={**STUDY, "factors": bundle}).jobs) == 6
