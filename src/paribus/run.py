"""`paribus run`: the Hydra application. One job through `task`, whichever launcher calls it."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from paribus.claimed import finished_before, run_claimed, summary, tell_kept
from paribus.config.compose import Composer, admit_bundles, own_choices
from paribus.config.explain import EXPLAINED, explain, resolved
from paribus.config.loading import open_tree
from paribus.config.tree import conf_dir, config_groups
from paribus.errors import UserError, nearest
from paribus.preemption import end_when_terminated, warned
from paribus.study.experiments import refuse_misplaced
from paribus.study.plan import Plan
from paribus.study.records import STUDY_FILE, run_folder, write_atomically
from paribus.study.states import RUN_AGAIN

MULTIRUN = ("-m", "--multirun")
"""Moved to the front: Hydra's parser takes no flag after an override."""
HELP = ("--help", "-h")
"""Answered here: Hydra reads the whole tree anew for each of its groups."""


def help_text(overrides: Sequence[str]) -> str:
    """What `paribus run --help` prints: Hydra's template with the groups of the config tree, and the config."""
    extra = _extra_tree(overrides)
    config = Composer(open_tree(extra=extra)).compose([word for word in overrides if "=" in word and word[0] != "-"])
    groups = [f"{group}: {', '.join(sorted(files))}" for group, files in sorted(config_groups(extra).items())]
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return Template(config.hydra.help.template).substitute(
        APP_CONFIG_GROUPS="\n".join(groups), CONFIG=OmegaConf.to_yaml(own)
    )


def main(overrides: Sequence[str]) -> int:
    """Run the Hydra application on the words of a command line; the exit code.

    Raises:
        UserError: a mistake in the input.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come to us instead of being printed by Hydra
    _refuse_two_experiments(overrides)
    if any(word in HELP for word in overrides):
        print(help_text(overrides))
        return 0
    flags = [word for word in overrides if word in MULTIRUN]
    words = admit_bundles([word for word in overrides if word not in MULTIRUN], extra=_extra_tree(overrides))
    if not flags and _is_study(words, _extra_tree(overrides)):
        words.append("hydra.mode=MULTIRUN")
    sys.argv = ["paribus run", *flags, *words]
    end_when_terminated()
    outcome = _Outcome()
    try:
        hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="run")(outcome.task)()
    except EXPLAINED as error:
        raise explain(error, overrides, _known_names()) from error
    except ValueError as error:
        if "Config group override" not in str(error):
            raise
        raise explain(error, overrides, _known_names()) from error
    if outcome.mistake:
        raise outcome.mistake
    return outcome.exit_code


class _Outcome:
    """How a single run ended: Hydra's `main` returns nothing, and comments on exceptions that pass through it."""

    exit_code = 0
    mistake: UserError | None = None

    def task(self, config: DictConfig) -> str:
        try:
            status = task(config)
        except UserError as mistake:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            self.mistake = mistake
            return "refused"
        if status not in ("finished", "skipped"):
            self.exit_code = 1
        return status


def _extra_tree(words: Sequence[str]) -> Path | None:
    """The folder that `--config-dir` names."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("--config-dir", "-cd"):
            return Path(following)
        if word.startswith("--config-dir="):
            return Path(word.removeprefix("--config-dir="))
    return None


def _is_study(words: Sequence[str], extra: Path | None) -> bool:
    """Whether the experiment that is chosen declares a study, so that the command is a sweep without saying so."""
    settings = [word for word in words if "=" in word and not word.startswith("-")]
    chosen = [word for word in settings if word.lstrip("+").startswith(("experiment=", "study=", "study."))]
    if not chosen or any(word.startswith("hydra.mode=") for word in words):
        return False
    composer = Composer(open_tree(extra=extra))
    for word in chosen:
        if word.startswith("experiment="):
            refuse_misplaced(composer.compose([word]), word.removeprefix("experiment="))
    return composer.study(composer.requests(settings)) is not None


def _refuse_two_experiments(overrides: Sequence[str]) -> None:
    for override in overrides:
        if override.startswith("experiment=") and "," in override:
            names = override.removeprefix("experiment=").split(",")
            commands = "\n".join(f"  paribus run experiment={name.strip()}" for name in names)
            raise UserError(f"{override}: an experiment is a study of its own; run one after the other:\n{commands}")


def task(config: DictConfig) -> str:
    """Claim, train and record one job; how it ended. What another process runs or has finished is `skipped`."""
    plain = {key: value for key, value in resolved(config).items() if key != "hydra"}
    if HydraConfig.get().mode == RunMode.RUN and (done := finished_before(plain)):
        tell_kept(done, run_folder(plain, done.key), plain)
        print(summary(done))
        return done.status

    from paribus.build import check  # torch, which only takes its time where something is to be run

    check(plain)
    if plain["rerun"] not in RUN_AGAIN:
        near = nearest(plain["rerun"], RUN_AGAIN)
        raise UserError(f"rerun={plain['rerun']}: expected one of {', '.join(RUN_AGAIN)}.{near}")
    single = HydraConfig.get().mode == RunMode.RUN
    try:
        with warned():
            record = run_claimed(plain, own_choices(HydraConfig.get().runtime.choices), single)
    except OSError as error:  # a full or vanished disk: this run's record cannot say so, and the next may still fit
        print(f"paribus: the record of a run could not be written: {error}", file=sys.stderr)
        return "failed"
    if record is None:
        return "skipped"
    if single:
        print(summary(record))
    return record.status


def after_sweep(plan: Plan) -> None:
    """Report on a sweep that has ended."""
    from paribus.report import report, write_index
    from paribus.study.verdict_table import table

    said = plan.declaration()
    if said is not None:
        write_atomically(plan.folder / STUDY_FILE, json.dumps(said, indent=1))
    files = report(plan.folder)
    if files.verdicts:
        print(table(files.verdicts))
    write_index(plan.folder.parent)
    print(f"report: {files.page}")


def _known_names() -> list[str]:
    """Config groups, and keys of the root, for answers to misspelt overrides."""
    tree = conf_dir()
    return [path.name for path in tree.iterdir() if path.is_dir()] + ["name", "output", "seed", "rerun", "study"]
