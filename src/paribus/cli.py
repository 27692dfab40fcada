"""The command `paribus`. Imports nothing heavy until a command needs it: help and lists answer at once."""

import argparse
import atexit
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from paribus.commands.arguments import parse
from paribus.errors import SECRET, UserError, is_secret

UNWRITABLE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
"""What making a folder for records fails with where the fault is in the place that was chosen."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Exit codes: 0 done, 1 something failed or was refuted, 2 a mistake in the input, 3 undecided."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except UserError as error:
        print(f"paribus: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C finds nothing left to stop
        print("paribus: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"paribus: {error}", file=sys.stderr)
        return 1


def _dispatch(words: list[str]) -> int:
    for word in words:
        if any(is_secret(name) for name in re.findall(r"""[\w.-]+(?=["'\s]*[=:])""", word)):
            raise UserError(f"{re.split('[=:]', word)[0]}: {SECRET}")
    if words[:1] == ["run"] and not any(word.startswith("--key") for word in words):
        return _run(words[1:])
    if words[:2] == ["completion", "query"]:
        from paribus.commands.complete import answer

        answer(" ".join(words[2:]))
        return 0
    options = parse(words)
    return COMMANDS[options.command](options)


def _run(words: list[str]) -> int:
    from paribus.run import main as run_main

    if any(word.startswith(("-sc", "--shell-completion")) for word in words):
        raise UserError("tab completion is set up for the whole command: paribus completion --help says how")
    try:
        return run_main(words)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise UserError(
            f"{error.filename}: records cannot be written there ({error.strerror}); choose another output=FOLDER"
        ) from error


def _rerun(options: argparse.Namespace) -> int:
    from paribus.commands.rerun import rerun

    return rerun(options.key, options.output, options.weights)


def _plan(options: argparse.Namespace) -> int:
    from paribus.sweep import plan_command

    return plan_command(options.overrides, options.config_dir, as_json=options.json, check=options.check)


def _list(options: argparse.Namespace) -> int:
    from paribus.commands.listing import listing

    print(listing(options.group, options.config_dir))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from paribus.commands.evaluate import evaluate_folder

    return evaluate_folder(_recorded(options.folder), options.overrides, options.config_dir)


def _predict(options: argparse.Namespace) -> int:
    from paribus.commands.predict import predict_command

    return predict_command(options.run, options.input, options.output)


def _sample(options: argparse.Namespace) -> int:
    from paribus.commands.predict import sample_command

    return sample_command(options.run, options.count, options.seed, options.output)


def _report(options: argparse.Namespace) -> int:
    from paribus.report import holds_studies, report, write_index

    folder = _recorded(options.folder)
    print(write_index(folder) if holds_studies(folder) else report(folder).page)
    return 0


def _publish(options: argparse.Namespace) -> int:
    folder = _recorded(options.folder)

    from paribus.commands.publish import Wanted, publish_command

    wanted = Wanted(options.to, options.project, options.entity, options.online)
    return publish_command(folder, wanted, again=options.again)


def _dashboard(options: argparse.Namespace) -> int:
    folder = _recorded(options.folder)

    from paribus.commands.dashboard import dashboard_command
    from paribus.commands.publish import Wanted

    return dashboard_command(folder, Wanted("wandb", options.project, options.entity, options.online))


def _verify(options: argparse.Namespace) -> int:
    from paribus.commands.verify import verify_folder

    return verify_folder(_recorded(options.folder))


def _audit(options: argparse.Namespace) -> int:
    from paribus.commands.audit import audit_command

    return audit_command(_recorded(options.folder), options.members, options.float64)


def _compare(options: argparse.Namespace) -> int:
    from paribus.commands.compare import compare_paths

    paths = [path if path.is_file() else _recorded(path) for path in options.paths]
    return compare_paths(paths, options.factor, options.metric, options.replicate)


def _calibrate(options: argparse.Namespace) -> int:
    from paribus.commands.calibrate import calibrate_command

    return calibrate_command(options.file, options.output, options.overrides, options.config_dir)


def _recorded(folder: Path) -> Path:
    """A folder that was named because of the records in it."""
    from paribus.errors import nearest
    from paribus.study.records import RECORD_FILE

    if not folder.is_dir():
        near = nearest(folder.name, [path.name for path in folder.absolute().parent.glob("*") if path.is_dir()])
        raise UserError(f"{folder}: there is no such folder of records.{near}")
    if next(folder.glob(f"**/{RECORD_FILE}"), None) is None:
        raise UserError(f"there are no records below {folder}; expected a folder such as runs/<name>")
    return folder


def _completion(options: argparse.Namespace) -> int:
    from paribus.commands.complete import SCRIPTS

    print(SCRIPTS[options.shell], end="")
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _rerun,
    "plan": _plan,
    "list": _list,
    "evaluate": _evaluate,
    "predict": _predict,
    "sample": _sample,
    "report": _report,
    "verify": _verify,
    "publish": _publish,
    "dashboard": _dashboard,
    "audit": _audit,
    "compare": _compare,
    "calibrate": _calibrate,
    "completion": _completion,
}
"""What each command does; `run` without `--key` is the Hydra application."""
