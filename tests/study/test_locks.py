import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paribus.study import locks
from paribus.study.locks import ClaimLost, claim, holder

HOLD = """
import sys, time
from pathlib import Path
from paribus.study.locks import claim
held = claim(Path(sys.argv[1]), host=sys.argv[2] or None, heartbeat=0.05, stale_after=0.5)
print("won" if held else "lost", flush=True)
sys.stdin.read()
"""

RACE = """
import sys
from pathlib import Path
from paribus.study.locks import claim
held = None
for line in sys.stdin:
    if held:
        held.release()
    folder = line.strip()
    held = claim(Path(folder)) if folder else None
    print("won" if held else "lost", flush=True)
"""


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def other(tmp_path: Path):
    """Starts a process that claims the folder, from another host if one is named, and holds it until it is killed."""
    processes = []

    def hold(host: str = "") -> subprocess.Popen[str]:
        processes.append(start(HOLD, str(tmp_path), host))
        assert answer(processes[-1]) == "won"
        return processes[-1]

    yield hold
    for process in processes:
        process.kill()
        process.wait()


def age(folder: Path, seconds: float) -> None:
    """Set the claims of a folder back in time, by the file system's own present."""
    (folder / "present").write_text("")
    then = (folder / "present").stat().st_mtime - seconds
    for path in folder.glob("claim.*"):
        os.utime(path, (then, then))


def wait_until(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_a_free_folder_is_claimed_once_and_free_again_after_release(tmp_path):
    first = claim(tmp_path / "new")
    assert first is not None
    assert claim(tmp_path / "new") is None
    assert holder(tmp_path / "new").endswith(f"process {os.getpid()}")
    first.release()
    first.release()
    assert list((tmp_path / "new").iterdir()) == []
    assert holder(tmp_path / "new") is None
    assert claim(tmp_path / "new") is not None


def test_a_folder_that_does_not_exist_has_no_holder(tmp_path):
    assert holder(tmp_path / "nowhere") is None


def test_the_with_block_releases_even_when_it_fails(tmp_path):
    def fail() -> None:
        with claim(tmp_path):
            assert holder(tmp_path) is not None
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_living_process_keeps_its_claim_however_long_it_is_silent(tmp_path, other):
    process = other()
    process.send_signal(signal.SIGSTOP)
    age(tmp_path, 3600)
    assert claim(tmp_path) is None
    assert holder(tmp_path).endswith(f"process {process.pid}")


def test_a_killed_process_of_this_machine_is_taken_over_at_once(tmp_path, other):
    process = other()
    process.kill()
    # The process is not yet reaped, so its number is still taken.
    wait_until(lambda: holder(tmp_path) is None)
    taken = claim(tmp_path)
    assert taken is not None
    assert taken.number == 2
    taken.release()
    assert list(tmp_path.glob("claim.*")) == []


def test_a_process_number_that_is_used_again_is_not_mistaken_for_the_owner(tmp_path):
    held = claim(tmp_path)
    path = tmp_path / "claim.1"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started": "1"}))
    assert holder(tmp_path) is None
    taken = claim(tmp_path)
    assert taken is not None
    with pytest.raises(ClaimLost):
        held.check()


def test_another_host_is_alive_while_its_heartbeat_is_and_dead_after_it(tmp_path, other):
    process = other("elsewhere")
    time.sleep(0.7)
    assert claim(tmp_path, stale_after=0.5, heartbeat=0.05) is None
    assert holder(tmp_path, stale_after=0.5) == f"elsewhere, process {process.pid}"
    process.kill()
    assert claim(tmp_path, stale_after=0.5, heartbeat=0.05) is None
    wait_until(lambda: holder(tmp_path, stale_after=0.5) is None)
    assert claim(tmp_path, stale_after=0.5, heartbeat=0.05) is not None


@pytest.mark.parametrize(("silent", "taken"), [(0, False), (58, False), (62, True), (86_400, True)])
@pytest.mark.parametrize("skew", [-3600, 0, 3600])
def test_the_local_clock_does_not_matter(tmp_path, monkeypatch, silent, taken, skew):
    held = claim(tmp_path, host="elsewhere")
    age(tmp_path, silent)
    monkeypatch.setattr(time, "time", lambda: time.time_ns() / 1e9 + skew)
    assert (claim(tmp_path) is not None) == taken
    held.release()


def test_a_claim_from_the_future_is_alive(tmp_path):
    held = claim(tmp_path, host="elsewhere")
    age(tmp_path, -3600)
    assert claim(tmp_path) is None
    held.release()


def test_an_owner_that_wakes_up_finds_that_it_was_overtaken_and_leaves_the_taker_alone(tmp_path):
    sleeper = claim(tmp_path, host="elsewhere", heartbeat=30)
    sleeper.check()
    assert not sleeper.lost
    age(tmp_path, 100)
    taker = claim(tmp_path, heartbeat=30)
    with pytest.raises(ClaimLost, match=str(tmp_path)):
        sleeper.check()
    assert sleeper.lost
    sleeper.release()
    taker.check()
    assert claim(tmp_path) is None
    taker.release()
    assert list(tmp_path.glob("claim.*")) == []


def test_an_owner_that_wakes_up_after_its_taker_is_done_has_lost_too(tmp_path):
    sleeper = claim(tmp_path, host="elsewhere", heartbeat=30)
    age(tmp_path, 100)
    claim(tmp_path, heartbeat=30).release()
    third = claim(tmp_path, heartbeat=30)
    assert third.number == sleeper.number
    with pytest.raises(ClaimLost):
        sleeper.check()
    sleeper.release()
    third.check()
    third.release()


def test_the_heartbeat_notices_a_takeover_by_itself(tmp_path):
    sleeper = claim(tmp_path, host="elsewhere", heartbeat=0.3)
    age(tmp_path, 100)
    taker = claim(tmp_path)
    wait_until(lambda: sleeper.lost)
    sleeper.release()
    taker.release()


def test_a_taker_that_steps_back_does_not_cost_the_owner_its_claim(tmp_path, monkeypatch):
    owner = claim(tmp_path)
    (tmp_path / "claim.2").write_text("")
    monkeypatch.setattr(owner._released, "wait", lambda seconds: (tmp_path / "claim.2").unlink())
    owner.check()
    assert not owner.lost


def test_a_taker_steps_back_where_the_dead_claim_was_settled_in_between(tmp_path, monkeypatch):
    dead = claim(tmp_path, host="elsewhere", heartbeat=30)
    age(tmp_path, 100)
    create = locks._create
    between = []

    def settle_first(path, owner):
        monkeypatch.setattr(locks, "_create", create)
        claim(tmp_path, heartbeat=30).release()
        between.append(claim(tmp_path, heartbeat=30))
        return create(path, owner)

    monkeypatch.setattr(locks, "_create", settle_first)
    assert claim(tmp_path) is None
    between[0].check()
    assert [path.name for path in tmp_path.glob("claim.*")] == ["claim.1"]
    between[0].release()
    dead.release()


def test_a_claim_that_is_not_yet_written_counts_as_alive_until_it_is_stale(tmp_path):
    (tmp_path / "claim.1").write_text("")
    assert claim(tmp_path) is None
    assert holder(tmp_path) == "a process that is just starting"
    age(tmp_path, 100)
    assert claim(tmp_path) is not None


def test_a_full_disk_leaves_no_claim_behind(tmp_path, monkeypatch):
    def full(descriptor, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        claim(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("heartbeat", "stale_after"), [(0, 60), (-1, 60), (31, 60), (float("nan"), 60)])
def test_a_heartbeat_that_could_be_missed_is_refused(tmp_path, heartbeat, stale_after):
    with pytest.raises(ValueError, match=str(heartbeat)):
        claim(tmp_path, heartbeat=heartbeat, stale_after=stale_after)


@pytest.mark.parametrize("dead", [False, True])
def test_of_eight_processes_exactly_one_wins(tmp_path, dead):
    rounds = 25
    racers = [start(RACE) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for i in range(rounds):
            folder = tmp_path / str(i)
            if dead:
                folder.mkdir()
                (folder / "claim.3").write_text(
                    json.dumps({"host": "gone", "place": "gone", "pid": 1, "started": "1", "token": "t"})
                )
                age(folder, 100)
            for racer in racers:
                racer.stdin.write(f"{folder}\n")
            for racer in racers:
                racer.stdin.flush()
            assert sorted(pool.map(answer, racers)) == ["lost"] * 7 + ["won"]
            for racer in racers:
                racer.stdin.write("\n")
                racer.stdin.flush()
            list(pool.map(answer, racers))
            assert list(folder.glob("claim.*")) == []
    for racer in racers:
        racer.communicate()
        assert racer.returncode == 0
