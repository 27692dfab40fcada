"""A family and its data, made of a config and the weights that its run kept; and what evaluators find of it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from paribus.build import build_data, build_evaluator, build_family, build_training
from paribus.data.chunks import epoch_order
from paribus.data.contract import InMemoryData, tensor_hash
from paribus.errors import UserError
from paribus.families.contract import Family
from paribus.streams import stream_seed
from paribus.study.keys import evaluation_key
from paribus.study.records import WEIGHTS_FILE, Row, RunRecord


def prepared_data(config: Mapping[str, Any]) -> InMemoryData:
    """The data of a config: loaded, split, corrupted and scaled."""
    data = build_data(config)
    data.setup()
    return data


def pairing_hashes(family: Family, data: InMemoryData) -> dict[str, str]:
    """What paired runs share: the data, split, corruption, initial weights and the order of the first epoch."""
    initial = {
        f"init/{name}": tensor_hash(*part.parameters())
        for name, part in family.named_children()
        if any(True for _ in part.parameters())
    }
    order = epoch_order(data.seed, 0, data.sizes()["train"])
    return dict(data.pairing()) | initial | {"order": tensor_hash(order, torch.tensor(data.batch_size))}


class Evaluation(NamedTuple):
    """What an evaluator found: rows marked with their evaluation key, what their metrics are, what the report draws."""

    rows: tuple[Row, ...]
    measures: tuple[Mapping[str, str], ...]
    drawing: dict[str, Any]

    def added_to(self, record: RunRecord) -> RunRecord:
        """The record with this evaluation's rows."""
        known = {measure["name"]: measure for measure in (*record.measures, *self.measures)}
        return replace(record.with_rows(self.rows), measures=tuple(known.values()))


@torch.no_grad()
def evaluate(config: Mapping[str, Any], key: str, family: Family, data: InMemoryData) -> Evaluation:
    """Run the config's evaluator on a trained family."""
    training = build_training(config)
    data.place(training.device, next(family.parameters()).dtype)
    family = family.to(training.device).eval()
    evaluator = build_evaluator(config, data)
    mark = evaluation_key(key, config["evaluation"])
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(data.seed, "evaluation"))
        rows = tuple(replace(row, evaluation=mark) for row in evaluator(family, data))
        drawing = evaluator.drawing(family, data)
    measured = {name for row in rows for name in row.metrics}
    measures = tuple(asdict(measure) for measure in evaluator.measures if measure.name in measured)
    return Evaluation(rows, measures, drawing)


def load_family(config: Mapping[str, Any], folder: Path) -> tuple[Family, InMemoryData]:
    """A trained family and its data, from the weights that its run kept.

    Raises:
        UserError: the run kept no weights.
    """
    path = folder / WEIGHTS_FILE
    if not path.exists():
        raise UserError(
            f"{folder} has no {WEIGHTS_FILE}: the run was made with trainer.save_checkpoint=false, "
            "so there are no weights; run it again with trainer.save_checkpoint=true rerun=all"
        )
    data, training = prepared_data(config), build_training(config)
    family = build_family(config, data)
    training.place(family)  # first: float64 weights would be rounded to float32 ones
    checkpoint = torch.load(path, weights_only=True, map_location=training.device)
    family.load_state_dict(checkpoint["state_dict"])
    family.on_load_checkpoint(checkpoint)
    family.begin(training.steps_for(data), data.batch_size * training.accumulate, training.clip_norm)
    return family, data
