"""The command `paribus`. Imports nothing heavy until a command needs it: help and lists answer at once."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from paribus.errors import UserError

DESCRIPTION = """\
Which objective, model or method is better, by how much, and is the difference real?
Paribus trains every arm of a comparison on equal terms and ends in a verdict with an interval."""

EXAMPLES = """\
examples:
  paribus run experiment=robust_regression_demo             a study on real data, to its verdicts and report
  paribus run data=diabetes objective=huber seed=1          one training run and its metrics
  paribus run -m objective=squared,absolute seed=0,1,2      every combination, compared pair by pair

paribus COMMAND --help says more about each command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Exit codes: 0 done, 1 something failed or was refuted, 2 a mistake in the input, 3 undecided."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(words)
    except UserError as error:
        print(f"paribus: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("paribus: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"paribus: {error}", file=sys.stderr)
        return 1


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["run"] and words[1:2] != ["--key"]:
        return _run(words[1:])
    if words[:1] in (["-sc"], ["--shell-completion"]):
        return _complete(words)
    options = _parser().parse_args(words)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paribus",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(command=command)
        return added

    run = add("run", _rerun, "train one model or every arm of a study (key=value, -m, --cfg job, --help)")
    run.add_argument("--key", required=True, help="run the recorded job with this key again")
    run.add_argument("--output", type=Path, default=Path("runs"), help="where records lie (default: runs)")

    plan = add("plan", _plan, "show what a run command would do: arms, what is held equal, what is done, time expected")
    plan.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for paribus run")
    plan.add_argument("-m", "--multirun", action="store_true", help="accepted, so that a run command can be pasted")
    plan.add_argument("--config-dir", type=Path, help="a further folder of configs")
    plan.add_argument("--json", action="store_true", help="print for programs")
    plan.add_argument("--check", action="store_true", help="also check every config in full, as run does")

    listing = add("list", _list, "the choices of each config group, or of one, with a line of description each")
    listing.add_argument("group", nargs="?", help="e.g. objective")

    evaluate = add("evaluate", _evaluate, "add rows of another evaluation to finished runs, without training again")
    evaluate.add_argument("folder", type=Path, metavar="DIR", help="a folder of records, e.g. runs/my_study")
    evaluate.add_argument("overrides", nargs="+", metavar="evaluation=...", help="evaluation and its keys")

    report = add("report", _report, "write results.csv, comparisons.csv, verdicts.json, figures and report.html")
    report.add_argument("folder", type=Path, metavar="DIR", help="a folder of records, e.g. runs/my_study")

    verify = add(
        "verify",
        _verify,
        "judge the claims: exit 0 all supported, 1 any refuted or not evaluated, 2 no records, 3 undecided or no claims",
    )
    verify.add_argument("folder", type=Path, metavar="DIR", help="a folder of records, e.g. runs/my_study")

    audit = add("audit", _audit, "run some recorded runs again, alone, and report how far their metrics differ")
    audit.add_argument("folder", type=Path, metavar="DIR", help="a folder of records, e.g. runs/my_study")
    audit.add_argument("--members", type=int, default=3, metavar="N", help="how many runs (default: 3)")
    audit.add_argument("--float64", action="store_true", help="also compare parameters, trained anew in float64")

    compare = add("compare", _compare, "paired comparisons over folders of records, or over a CSV made elsewhere")
    compare.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folders of records, or one CSV file")
    compare.add_argument("--factor", action="append", default=[], help="what to compare; repeat for more factors")
    compare.add_argument("--metric", action="append", default=[], help="repeat for more; default: all in the records")
    compare.add_argument("--replicate", default="seed", help="the column of a CSV that pairs rows (default: seed)")
    return parser


class _Version(argparse.Action):
    """Prints the version; reads the package's metadata only when asked."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"paribus {version('paribus')}")
        parser.exit()


def _run(words: list[str]) -> int:
    from paribus.run import main as run_main

    return run_main(words)


def _rerun(options: argparse.Namespace) -> int:
    from paribus.run import rerun

    return rerun(options.key, options.output)


def _complete(words: list[str]) -> int:
    """Tab completion is Hydra's, which knows no subcommand: take `run` out of the line that it completes."""
    line = os.environ.get("COMP_LINE", "")
    os.environ["COMP_LINE"] = line.replace(" run ", " ", 1)
    return _run(words)


def _plan(options: argparse.Namespace) -> int:
    from paribus.sweep import plan_command

    return plan_command(options.overrides, options.config_dir, as_json=options.json, check=options.check)


def _list(options: argparse.Namespace) -> int:
    from paribus.listing import listing

    print(listing(options.group))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from paribus.evaluate import evaluate_folder

    return evaluate_folder(_recorded(options.folder), options.overrides)


def _report(options: argparse.Namespace) -> int:
    from paribus.report import report

    print(report(_recorded(options.folder)).page)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from paribus.verify import verify_folder

    return verify_folder(_recorded(options.folder))


def _audit(options: argparse.Namespace) -> int:
    from paribus.audit import audit_command

    return audit_command(_recorded(options.folder), options.members, options.float64)


def _compare(options: argparse.Namespace) -> int:
    from paribus.compare import compare_paths

    paths = [path if path.is_file() else _recorded(path) for path in options.paths]
    return compare_paths(paths, options.factor, options.metric, options.replicate)


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
