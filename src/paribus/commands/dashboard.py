"""A study's dashboard in W&B as code: `paribus dashboard` writes its specification, and creates or updates it there."""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from itertools import count, product
from pathlib import Path
from typing import Any

from paribus.commands.publish import Wanted, collect_one_study
from paribus.errors import UserError
from paribus.loggers.naming import level_key, require
from paribus.loggers.summary import figure_name
from paribus.loggers.wandb_client import prepare_wandb
from paribus.loggers.weights_and_biases import STEP
from paribus.mirror import note_published, published
from paribus.report.collect import Collected
from paribus.report.curves import TRAINING, read_curves
from paribus.study.factors import Factor, Metric
from paribus.study.levels import label
from paribus.study.records import CURVES_FILE, write_atomically
from paribus.study.structure import Study

WORKSPACE_FILE = "workspace.json"
MOST_METRICS, MOST_DRAWN, MOST_RUNS = 6, 2, 100
WIDE, NARROW, HIGH = 24, 12, 8
"""Widths and height of panels, in units of a grid of 24 columns."""


def dashboard_command(folder: Path, wanted: Wanted) -> int:
    """Write the workspace's specification into the folder, and send it if it is to be sent; the exit code.

    Raises:
        UserError: a package, a key or the entity is missing; or there are no records of one study.
    """
    collected = collect_one_study(folder)
    node = wanted.nodes(list(collected.records.values()))["wandb"]
    require("wandb_workspaces", "wandb")
    workspace = workspace_of(collected, node["entity"] or "", node["project"], node["group"])
    path = folder / WORKSPACE_FILE
    write_atomically(path, specification(workspace))
    print(f"workspace: {path}")
    return _send(folder, workspace) if wanted.online else 0


def _send(folder: Path, workspace: Any) -> int:
    """Create the workspace, or update the one that was created from this folder."""
    import requests
    import wandb

    if not prepare_wandb(folder, offline=False):
        return 1
    if not workspace.entity:
        raise UserError("--entity is missing: a workspace belongs to a user or a team")
    place = f"workspace: {workspace.entity}/{workspace.project}"
    workspace._internal_name = internal_name(workspace)
    workspace._internal_id = published(folder).get(place, "")
    try:
        workspace.save()
    except (wandb.Error, requests.RequestException, OSError) as error:
        told = str(error).partition("\n")[0]
        print(f"paribus: the workspace could not be sent: {told}; {folder / WORKSPACE_FILE} has it", file=sys.stderr)
        return 1
    note_published(folder, place, workspace._internal_id)
    print(f"shown at {workspace.url}")
    return 0


def internal_name(workspace: Any) -> str:
    """What W&B calls a saved view, the same for every workspace of one study, so that one is updated."""
    digits = blake2b(f"{workspace.project}/{workspace.name}".encode(), digest_size=8).hexdigest()
    return f"nw-{digits[:11]}-v"


def workspace_of(collected: Collected, entity: str, project: str, group: str) -> Any:
    """The workspace of a study: verdicts and paired differences, metrics by factor, curves by arm, failures."""
    from wandb_workspaces import expr
    from wandb_workspaces import workspaces as ws

    study = collected.study
    # The library reads the filter as a line of code, after replacing what looks like an operator, in quotes too.
    quoted = "".join(letter if letter.isalnum() else f"\\U{ord(letter):08x}" for letter in group)
    shown = [column for metric in study.metrics[:MOST_METRICS] for column in logged_names(metric, study)]
    settings = ws.RunsetSettings(
        filters=f"Metric('Group') == '{quoted}'",
        groupby=[expr.Config("arm")],
        pinned_columns=["summary:status", *(f"summary:{name}" for name in shown)],
    )
    return ws.Workspace(
        name=f"Paribus: {admitted(collected.name)}",
        entity=entity,
        project=project,
        sections=[
            section("Verdicts and paired differences", [*_tables(("verdicts", "comparisons")), *_figures(study)]),
            section("Metrics by factor", _metrics_by_factor(study)),
            section("Curves by arm", _curves_by_arm(collected)),
            section("Failures", _tables(("failures",))),
        ],
        settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=MOST_RUNS, remove_legends_from_panels=False),
        runset_settings=settings,
        auto_generate_panels=False,
    )


def admitted(name: str) -> str:
    """A name with a stroke for each letter that W&B's library refuses in a workspace's: symbols, of money too."""
    return "".join("_" if unicodedata.category(letter) in ("So", "Sk", "Sm", "Sc", "Cs") else letter for letter in name)


def section(name: str, panels: Iterable[Any]) -> Any:
    """An open section with its panels in rows."""
    from wandb_workspaces import workspaces as ws
    from wandb_workspaces.reports import v2 as wr

    placed, across, down = list(panels), 0, 0
    for panel in placed:
        width = WIDE if isinstance(panel, wr.WeavePanelSummaryTable) else NARROW
        if across + width > WIDE:
            across, down = 0, down + HIGH
        panel.layout = wr.Layout(x=across, y=down, w=width, h=HIGH)
        across += width
    return ws.Section(name=name, panels=placed, is_open=True)


def _tables(names: Iterable[str]) -> list[Any]:
    """Tables of the study's summary run."""
    from wandb_workspaces.reports import v2 as wr

    return [wr.WeavePanelSummaryTable(table_name=name) for name in names]


def _figures(study: Study) -> list[Any]:
    """The report's figures of the first metrics, of the study's summary run."""
    from wandb_workspaces.reports import v2 as wr

    metrics = study.metrics[:MOST_DRAWN]
    return [wr.MediaBrowser(title=each.name, num_columns=1, media_keys=[figure_name(each)]) for each in metrics]


def _metrics_by_factor(study: Study) -> Iterable[Any]:
    """Each metric's mean and spread over runs, by each factor that has several levels."""
    from wandb_workspaces.reports import v2 as wr

    for metric in study.metrics[:MOST_METRICS]:
        for factor in (factor for factor in study.factors if len(factor.levels) > 1):
            yield wr.BarPlot(
                title=f"{metric.name} by {factor.name}",
                metrics=[wr.Metric(name) for name in logged_names(metric, study)],
                groupby=wr.Config(config_key(factor)),
                groupby_aggfunc="mean",
                groupby_rangefunc="stddev",
                max_runs_to_show=MOST_RUNS,
                title_x=metric.unit or None,
            )


def _curves_by_arm(collected: Collected) -> Iterable[Any]:
    """Learning curves on held-out and on training data, their mean and range over each arm's runs."""
    from wandb_workspaces.reports import v2 as wr

    for name in curve_names(collected):
        yield wr.LinePlot(
            title=name,
            x=STEP,
            y=[wr.Metric(name)],
            groupby=wr.Config("arm"),
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
            max_runs_to_show=MOST_RUNS,
        )


def curve_names(collected: Collected) -> list[str]:
    """Of the curves that runs logged, those of held-out data and of the phases' losses, as far as some run has them."""
    found: dict[str, None] = {}
    for place in list(collected.places.values())[:MOST_RUNS]:
        path = place / CURVES_FILE
        found |= dict.fromkeys(read_curves(path) if path.exists() else ())
    wanted = [f"val/{metric.name}" for metric in collected.study.metrics] + ["val/loss", *TRAINING]
    return [name for name in wanted if name in found]


def logged_names(metric: Metric, study: Study) -> list[str]:
    """What loggers call a metric: one name for each combination of levels of the within-run factors."""
    levels = [[f"{factor.name}={label(level)}" for level in factor.levels] for factor in study.within]
    return ["/".join(("evaluation", *cell, metric.name)) for cell in product(*levels)]


def config_key(factor: Factor) -> str:
    """Where a run's config in W&B has its level."""
    return f"levels.{level_key(factor.name)}"


def specification(workspace: Any) -> str:
    """The workspace as W&B keeps it, with ids that are the same every time."""
    spec = json.loads(workspace._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
    return json.dumps(_with_plain_ids(spec), indent=1, sort_keys=True) + "\n"


def _with_plain_ids(spec: Mapping[str, Any]) -> Any:
    text, numbers = json.dumps(spec), count(1)
    known: dict[str, str] = {}
    for found in re.findall(r'"(?:__id__|id)": "([^"]+)"', text):
        known.setdefault(found, f"id-{next(numbers)}")
    for random, plain in known.items():
        text = text.replace(f'"{random}"', f'"{plain}"')
    return json.loads(text)
