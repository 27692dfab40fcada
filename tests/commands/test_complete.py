"""Tab completion, as the shell asks for it and in bash itself."""

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from paribus.cli import main
from paribus.commands.arguments import RUN_OPTIONS
from paribus.commands.complete import SCRIPTS, completions

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@pytest.mark.parametrize(("line", "expected"), [
    (
        "paribus ",
        {
            *("run", "plan", "list", "evaluate", "predict", "sample", "report", "verify", "audit", "compare"),
            *("calibrate", "publish", "dashboard", "completion"),
        },
    ),
    ("paribus calibrate logits.npz --o", {"--output"}),
    ("paribus re", {"report"}),
    ("paribus --v", {"--version"}),
    ("paribus plan --j", {"--json"}),
    ("paribus run --cfg ", {"job", "hydra", "all"}),
    ("paribus run objective=hu", {"objective=huber"}),
    ("paribus plan objective=hu", {"objective=huber"}),
    ("paribus run objective=huber objective.d", {"objective.delta="}),
    ("paribus run -m objective=squared,hu", {"objective=squared,huber"}),
    ("paribus run -m objective=squared,huber se", {"seed="}),
    ("paribus run logger=[none,w", {"logger=[none,wandb"}),
    ("paribus run rerun=f", {"rerun=failed"}),
    ("paribus list opt", {"optimizer"}),
    ("paribus evaluate runs evaluation=rec", {"evaluation=recentred"}),
    ("paribus completion z", {"zsh"}),
    ("paribus report ", set()),
    ("paribus nonsense o", set()),
    ("paribus run --key ", set()),
])  # fmt: skip
def test_what_may_stand_at_the_cursor(line, expected):
    assert set(completions(line)) == expected


def test_a_choice_is_not_offered_twice():
    assert "objective=squared,squared" not in completions("paribus run -m objective=squared,")


@pytest.mark.parametrize(
    "line", ["", "paribus", "paribus run 'a", "paribus run a=[1", "paribus run =", "paribus plan ~"]
)
def test_nothing_is_written_into_the_line(line, capsys):
    assert main(["completion", "query", line]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "paribus:" not in said.out


def test_the_flags_of_run_are_known_to_run(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--hydra-help"])
    known = capsys.readouterr().out
    assert all(flag in known for flag in RUN_OPTIONS if flag not in ("--key", "--output", "--weights"))


@pytest.fixture
def command(tmp_path):
    """A folder with the command `paribus` of this interpreter, to be found first."""
    path = tmp_path / "bin" / "paribus"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m paribus "$@"\n')
    path.chmod(0o755)
    return {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}", "TERM": "dumb"}


@needs_bash
@pytest.mark.parametrize(("typed", "line"), [
    ("paribus pl", "paribus plan "),
    ("paribus plan experiment=robust_regression_d", "paribus plan experiment=robust_regression_demo "),
    ("paribus run -m objective=squared,hu", "paribus run -m objective=squared,huber "),
    ("paribus run objective=huber objective.de", "paribus run objective=huber objective.delta="),
    ("paribus report so", "paribus report some_folder/"),
])  # fmt: skip
def test_the_tab_key_in_bash(typed, line, command, tmp_path):
    (tmp_path / "some_folder").mkdir()
    (tmp_path / "rc").write_text(f"PS1='> '\n{SCRIPTS['bash']}")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    words = ["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"]
    shell = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=command, cwd=tmp_path)
    os.close(slave)
    try:
        shown = read(master, "> ")
        os.write(master, f"{typed}\t".encode())
        shown = read(master, line)
    finally:
        shell.kill()
        shell.wait()
        os.close(master)
    assert line in shown
    assert "paribus:" not in shown


def read(terminal: int, until: str) -> str:
    """What the terminal shows until a text is there, or for 20 s."""
    shown, end = "", time.monotonic() + 20
    while until not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 4096).decode()
    return shown


@needs_bash
def test_the_script_for_bash_is_sound(tmp_path):
    path = tmp_path / "script"
    path.write_text(SCRIPTS["bash"])
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


@pytest.mark.parametrize("shell", SCRIPTS)
def test_scripts_are_printed(shell, capsys):
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out == SCRIPTS[shell]
    assert not list(Path.cwd().glob("_paribus"))
