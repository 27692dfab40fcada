"""What the words of each command may be: parsed, refused with the nearest right word, and listed for completion."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from paribus.errors import UserError, nearest

DESCRIPTION = """\
Which objective, model or method is better, by how much, and is the difference real?
Paribus trains every arm of a comparison on equal terms and ends in a verdict with an interval."""

EXAMPLES = """\
examples:
  paribus run experiment=robust_regression_demo                 a study on real data, to its verdicts and report
  paribus run data=diabetes objective=huber seed=1              one training run and its metrics
  paribus run -m data=diabetes objective=squared,absolute seed=0,1,2,3,4 name=first
                                                                every combination, compared pair by pair

paribus COMMAND --help says more about each command; paribus completion bash sets up tab completion.
exit codes: 0 done, 1 something failed or was refuted, 2 a mistake in the input, 3 nothing decided"""

RUN_OPTIONS = (
    *("-m", "--multirun", "--cfg", "--resolve", "--package", "--config-dir"),
    *("--key", "--output", "--weights", "--help", "--hydra-help"),
)
"""Flags of `paribus run`: Hydra's that serve here, and its own."""
SHELLS = ("bash", "zsh", "fish")


class Parser(argparse.ArgumentParser):
    """Tells a mistake as every other mistake of the user is told."""

    def error(self, message: str) -> NoReturn:
        """Raise it as a UserError."""
        raise UserError(f"{message} ({self.prog} --help says what it takes)")

    @property
    def options(self) -> list[str]:
        """The flags that it knows."""
        return list(self._option_string_actions)


class _Version(argparse.Action):
    """Prints the version; reads the package's metadata only when asked."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"paribus {version('paribus')}")
        parser.exit()


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The command (`command`) and its arguments.

    Raises:
        UserError: no such command or option, with the nearest right one.
        SystemExit: help or the version was asked for and is printed.
    """
    parser, commands = parsers()
    first = words[0] if words else "--help"
    if not first.startswith("-") and first not in commands:
        meant = f" Did you mean 'paribus run {first}'?" if "=" in first else nearest(first, commands)
        raise UserError(f"there is no command {first!r}.{meant} Commands: {', '.join(commands)}")
    options, further = parser.parse_known_args(words or ["--help"])
    flags = [word for word in further if word.startswith("-")]
    if hasattr(options, "overrides"):  # argparse takes no further ones after a flag that stands between them
        options.overrides += [word for word in further if word not in flags]
        further = flags
    if further:
        told = (flags or further)[0]
        chosen = commands.get(options.command, parser)
        near = nearest(told.partition("=")[0], chosen.options) if flags else ""
        raise UserError(f"{told}: {chosen.prog} takes no such {'option' if flags else 'argument'}.{near}")
    return options


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the whole command, and that of each command by name."""
    parser = Parser(
        prog="paribus", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    every: dict[str, Parser] = {}

    def add(name: str, help: str, epilog: str | None = None) -> Parser:
        every[name] = commands.add_parser(
            name, help=help, description=help, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        return every[name]

    run = add("run", "train one model or every arm of a study (key=value, -m, --cfg job, --help)")
    run.add_argument("--key", required=True, help="run the recorded job with this key again")
    run.add_argument("--output", type=Path, default=Path("runs"), help="where records lie (default: runs)")
    run.add_argument("--weights", action="store_true", help="keep the weights (trainer.save_checkpoint=true)")

    plan = add("plan", "show what a run command would do: arms, what is held equal, what is done, time expected")
    plan.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for paribus run")
    plan.add_argument("-m", "--multirun", action="store_true", help="accepted, so that a run command can be pasted")
    plan.add_argument("--config-dir", type=Path, help="a further folder of configs")
    plan.add_argument("--json", action="store_true", help="print for programs")
    plan.add_argument("--check", action="store_true", help="also check every config in full, as run does")

    listing = add("list", "the choices of each config group, or of one, with a line of description each")
    listing.add_argument("group", nargs="?", help="e.g. objective")
    listing.add_argument("--config-dir", type=Path, help="a further folder of configs")

    evaluate = add("evaluate", "add rows of another evaluation to finished runs, without training again")
    _folder(evaluate)
    evaluate.add_argument("overrides", nargs="+", metavar="evaluation=...", help="evaluation and its keys")
    evaluate.add_argument("--config-dir", type=Path, help="a further folder of configs")

    _folder(add("report", "write results.csv, comparisons.csv, verdicts.json, figures and report.html"))

    _folder(
        add(
            "verify",
            "judge the claims of a study on its records",
            "exit codes: 0 every claim is supported; 1 some claim is refuted or cannot be evaluated;\n"
            "2 there are no records, or a mistake in the input; 3 some claim is undecided, or nothing is claimed",
        )
    )

    predict = add(
        "predict",
        "predict the test part, or other examples, by a run that kept its weights",
        "FILE is a CSV or Parquet file with the columns that the run was trained on, by name; an .npz with an array x\n"
        "[n, ...]; or a folder of images. All are in the units of the run's own data, and so are the predictions:\n"
        "of regression, a number; of classification, the likeliest class and each class's probability.",
    )
    _run(predict)
    predict.add_argument("--input", type=Path, metavar="FILE", help="examples to predict (default: the test part)")
    predict.add_argument("--output", type=Path, metavar="FILE.csv", help="default: predictions.csv in the run's folder")

    sample = add("sample", "draw examples from a generative model that kept its weights: a picture or a table")
    _run(sample)
    sample.add_argument("--count", type=int, default=64, metavar="N", help="how many (default: 64)")
    sample.add_argument("--seed", type=int, default=0, metavar="S", help="of the draw (default: 0)")
    sample.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="a contact sheet .png, a table .csv, or an array .npz (default: samples.png or .csv in the run's folder)",
    )

    publish = add(
        "publish",
        "show recorded runs and their study's summary in W&B, TensorBoard or trackio",
        "What is there already is not published again; what has changed is, as the same run. W&B's runs are kept on\n"
        "the disk, and the command that sends them is printed, unless --online sends them at once.\n"
        "exit codes: 0 all is published; 1 something could not be, or could not be sent; 2 a mistake in the input",
    )
    _folder(publish)
    publish.add_argument("--to", choices=("wandb", "tensorboard", "trackio"), default="wandb", help="default: wandb")
    _wandb(publish)
    publish.add_argument("--again", action="store_true", help="publish all anew")

    dashboard = add(
        "dashboard",
        "write a study's W&B workspace as workspace.json; create or update it there with --online",
    )
    _folder(dashboard)
    _wandb(dashboard)

    audit = add("audit", "run some recorded runs again, alone, and report how far their metrics differ")
    _folder(audit)
    audit.add_argument("--members", type=int, default=3, metavar="N", help="how many runs (default: 3)")
    audit.add_argument("--float64", action="store_true", help="also compare parameters, trained anew in float64")

    compare = add("compare", "paired comparisons over folders of records, or over a CSV made elsewhere")
    compare.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folders of records, or one CSV file")
    compare.add_argument("--factor", action="append", default=[], help="what to compare; repeat for more factors")
    compare.add_argument("--metric", action="append", default=[], help="repeat for more; default: all in the records")
    compare.add_argument("--replicate", default="seed", help="the column of a CSV that pairs rows (default: seed)")

    calibrate = add(
        "calibrate",
        "judge saved logits as probabilities, as they are and after each calibrator",
        "FILE is an .npz with logits [n, classes] and labels [n] of the test part, and val_logits and val_labels of\n"
        "the validation part, on which alone calibrators are fitted; or a CSV with a column label, a column of logits\n"
        "for each class, and a column part that says test or validation.\n"
        "Prints a table; writes calibration.html and calibration.csv.",
    )
    calibrate.add_argument("file", type=Path, metavar="FILE", help="saved logits, e.g. logits.npz")
    calibrate.add_argument("overrides", nargs="*", metavar="evaluation.KEY=VALUE", help="e.g. evaluation.bins=20")
    calibrate.add_argument("--output", type=Path, help="folder to write to (default: runs/calibrate/<name of FILE>)")
    calibrate.add_argument("--config-dir", type=Path, help="a further folder of configs")

    completion = add(
        "completion",
        "print the script that makes the tab key complete commands, options and overrides",
        "bash:  paribus completion bash > ~/.local/share/bash-completion/completions/paribus\n"
        "       or, for this shell alone: eval \"$(paribus completion bash)\"\n"
        "zsh:   paribus completion zsh > \"${fpath[1]}/_paribus\"\n"
        "fish:  paribus completion fish > ~/.config/fish/completions/paribus.fish",
    )  # fmt: skip
    completion.add_argument("shell", choices=SHELLS, help="which shell")
    return parser, every


def _folder(parser: Parser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of records, e.g. runs/my_study")


def _run(parser: Parser) -> None:
    parser.add_argument("run", type=Path, metavar="RECORD", help="the run's folder, runs/<name>/<key>")


def _wandb(parser: Parser) -> None:
    parser.add_argument("--project", help="default: that of the runs, else paribus")
    parser.add_argument("--entity", help="user or team that owns the project (default: the account's)")
    parser.add_argument("--online", action="store_true", help="send to W&B; needs wandb login or WANDB_API_KEY")
