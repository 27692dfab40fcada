"""Every schedule against torch's own learning-rate schedulers, step by step."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml
from torch.optim import lr_scheduler

from paribus.schedules import Constant, Cosine, Step, Warmup

TOTAL, BASE = 60, 0.3
FILES = sorted((Path(__file__).parents[1] / "conf" / "scheduler").glob("*.yaml"))


def learning_rates(scheduler_of):
    """The learning rate at steps 0 to TOTAL, TOTAL included, under a scheduler of torch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
    scheduler, rates = scheduler_of(optimizer), []
    for _ in range(TOTAL + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def scheduled(schedule):
    return learning_rates(lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: schedule(step, TOTAL)))


def linear_then_cosine(optimizer):
    ramp = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=15)
    decay = lr_scheduler.CosineAnnealingLR(optimizer, T_max=TOTAL - 15, eta_min=0.2 * BASE)
    return lr_scheduler.SequentialLR(optimizer, [ramp, decay], milestones=[15])


CASES = {
    "constant": (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    "step": (Step(every=7, factor=0.5), lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.5)),
    "cosine": (Cosine(final=0.0), lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=TOTAL)),
    "cosine to a tenth": (
        Cosine(final=0.1),
        lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=TOTAL, eta_min=BASE / 10),
    ),
    "warm-up, then cosine": (Warmup(steps=15, start=0.1, final=0.2), linear_then_cosine),
    "warm-up, then constant": (
        Warmup(steps=15, start=0.25, final=1.0),
        lambda o: lr_scheduler.LinearLR(o, start_factor=0.25, total_iters=15),
    ),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter")  # SequentialLR's own use of it
@pytest.mark.parametrize("case", CASES)
def test_schedule_is_torchs_over_the_whole_budget(case):
    schedule, reference = CASES[case]
    assert scheduled(schedule) == pytest.approx(learning_rates(reference), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("case", CASES)
def test_factor_depends_on_the_step_alone(case):
    schedule, _ = CASES[case]
    forwards = [schedule(step, TOTAL) for step in range(TOTAL + 1)]
    backwards = [schedule(step, TOTAL) for step in reversed(range(TOTAL + 1))]
    assert forwards == backwards[::-1]
    assert all(0 <= factor <= 1 for factor in forwards)


def test_cosine_keeps_its_end_past_the_budget():
    assert Cosine(final=0.1)(TOTAL + 5, TOTAL) == pytest.approx(0.1, abs=1e-15)
    assert Warmup(steps=5, start=0.0, final=0.1)(TOTAL + 5, TOTAL) == pytest.approx(0.1, abs=1e-15)


@pytest.mark.parametrize("total", [1, 4, 10])
def test_a_budget_within_the_warm_up_only_rises(total):
    warm = Warmup(steps=10, start=0.0, final=0.0)
    assert [warm(step, total) for step in range(total + 1)] == pytest.approx([step / 10 for step in range(total + 1)])


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (Step, {"every": 0, "factor": 0.5}, "every is 0, expected at least 1"),
        (Step, {"every": 1, "factor": 0.0}, "factor is 0.0, expected a number above 0 and at most 1"),
        (Step, {"every": 1, "factor": float("nan")}, "factor is nan, expected a number above 0 and at most 1"),
        (Cosine, {"final": 1.1}, "final is 1.1, expected a number from 0 to 1"),
        (Warmup, {"steps": 0, "start": 0.0, "final": 0.0}, "steps is 0, expected at least 1"),
        (Warmup, {"steps": 1, "start": -0.1, "final": 0.0}, "start is -0.1, expected a number from 0 to 1"),
        (Warmup, {"steps": 1, "start": 0.0, "final": 2.0}, "final is 2.0, expected a number from 0 to 1"),
    ],
)
def test_arguments_out_of_range_are_refused(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


def test_a_budget_without_steps_is_refused():
    with pytest.raises(ValueError, match="total_steps is 0, expected at least 1"):
        Cosine(final=0.0)(0, 0)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_lists_every_argument_and_builds(path):
    node = yaml.safe_load(path.read_text())
    module, _, name = node.pop("_target_").rpartition(".")
    target = getattr(import_module(module), name)
    assert set(node) == set(inspect.signature(target).parameters)
    assert target(**node)(0, TOTAL) <= 1
    assert path.read_text().startswith("# ")
