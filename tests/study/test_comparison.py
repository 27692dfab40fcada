"""Records become pairs: what is matched, what is missing, what was shared."""

from dataclasses import replace

import numpy as np
import pytest

from paribus.errors import UserError
from paribus.study.comparison import compare
from paribus.study.evidence import evidence
from paribus.study.parsing import parse_study
from paribus.study.records import Failure, Row, RunRecord

METRICS = {"mae": {"direction": "minimise", "scale": "log"}, "accuracy": {"direction": "maximise"}}


def study(replicates=3, **changes):
    declared = {
        "question": "Which?",
        "factors": {"objective": ["squared", "absolute"], "data.noise": [0.1, 0.5]},
        "replicate": {"seed": replicates},
        "metrics": METRICS,
    }
    return parse_study({**declared, **changes})


def record(objective="squared", noise=0.1, seed=0, mae=1.0, **changes):
    made = RunRecord(
        key=f"{objective}-{noise}-{seed}",
        experiment="test",
        status="finished",
        config={"objective": {"_target_": objective}, "data": {"noise": noise}, "seed": seed},
        choices={"objective": objective},
        seed=seed,
        rows=(Row({"mae": mae}),),
    )
    return replace(made, **changes)


def records(mae, seeds=range(3)):
    """A record for each cell and seed, with `mae(objective, noise, seed)`."""
    cells = [(objective, noise) for objective in ("squared", "absolute") for noise in (0.1, 0.5)]
    return [record(o, noise, seed, mae(o, noise, seed)) for o, noise in cells for seed in seeds]


SQUARED, ABSOLUTE = {"objective": ("squared",)}, {"objective": ("absolute",)}


def test_pairs_are_by_replicate_whatever_the_order_of_records():
    values = records(lambda objective, noise, seed: (2 if objective == "squared" else 1) * (seed + 1) * (1 + noise))
    for order in (values, values[::-1]):
        pairs = compare(study(), order).paired("mae", SQUARED, ABSOLUTE, {"data.noise": (0.5,)})
        assert pairs.replicates == (0, 1, 2)
        assert pairs.first_values == pytest.approx([3, 6, 9])
        assert pairs.second_values == pytest.approx([1.5, 3, 4.5])
        assert pairs.differences == pytest.approx([np.log(2)] * 3)
        assert (pairs.cells, pairs.missing, pairs.problem) == (1, {}, "")


def test_factors_that_nothing_fixes_are_averaged_within_a_replicate():
    # Ratios 2 and 8 in the two cells: the geometric mean is 4, and there are still three replicates.
    values = records(
        lambda objective, noise, seed: {("squared", 0.1): 2, ("squared", 0.5): 8}.get((objective, noise), 1)
    )
    pairs = compare(study(), values).paired("mae", SQUARED, ABSOLUTE)
    assert pairs.differences == pytest.approx([np.log(4)] * 3)
    assert pairs.first_values == pytest.approx([4] * 3)
    assert (pairs.cells, len(pairs.replicates)) == (2, 3)


def test_cells_without_a_counterpart_are_not_compared():
    excluding = study(exclude=[{"objective": "absolute", "data.noise": 0.5}])
    values = [each for each in records(lambda *_: 1.0) if each.key[:-2] != "absolute-0.5"]
    assert compare(excluding, values).paired("mae", SQUARED, ABSOLUTE).cells == 1


def test_failed_runs_are_missing_pairs_and_told():
    values = records(lambda *_: 1.0)
    failure = Failure("MemoryError", "out of memory", step=7)
    values[1] = replace(values[1], status="failed", rows=(), failure=failure)
    del values[0]
    comparison = compare(study(), values)
    pairs = comparison.paired("mae", SQUARED, ABSOLUTE, {"data.noise": (0.1,)})
    assert pairs.replicates == (2,)
    assert pairs.missing[0] == "not run where objective=squared, data.noise=0.1"
    assert pairs.missing[1] == "failed: MemoryError: out of memory where objective=squared, data.noise=0.1"
    assert pairs.failed == 1
    first = comparison.counts()[0]
    assert (first.planned, first.finished, first.failed, first.not_run) == (3, 1, 1, 1)
    assert comparison.counts()[1].finished == 3


@pytest.mark.parametrize(("metric", "worse"), [("mae", np.inf), ("accuracy", -np.inf)])
def test_a_diverged_run_is_the_worst_possible(metric, worse):
    values = [replace(each, rows=(Row({"mae": 1.0, "accuracy": 0.9}),)) for each in records(lambda *_: 1.0)]
    values[0] = replace(values[0], status="diverged", rows=())
    values[1] = replace(values[1], rows=(Row({metric: float("nan")}),))
    pairs = compare(study(), values).paired(metric, SQUARED, ABSOLUTE, {"data.noise": (0.1,)})
    assert pairs.differences.tolist() == [worse, worse, 0.0]
    assert pairs.first_values[:2].tolist() == [worse, worse]
    assert pairs.diverged == (2, 0)
    assert not pairs.missing


def test_a_diverged_run_counts_as_the_declared_worst():
    """So that a share of runs has a mean: 2 of 3 lost their way on one side, and none on the other."""
    declared = study(metrics={"lost": {"direction": "minimise", "worst": 1}})
    values = [replace(each, rows=(Row({"lost": 0.0}),)) for each in records(lambda *_: 1.0)]
    values[0] = replace(values[0], status="diverged", rows=())
    values[1] = replace(values[1], rows=(Row({"lost": float("nan")}),))
    pairs = compare(declared, values).paired("lost", SQUARED, ABSOLUTE, {"data.noise": (0.1,)})
    assert pairs.first_values.tolist() == [1, 1, 0]
    assert pairs.diverged == (2, 0)
    found = evidence(pairs)
    assert found.estimate == pytest.approx(2 / 3)
    assert "McNemar" in found.method
    over_cells = evidence(compare(declared, values).paired("lost", SQUARED, ABSOLUTE))
    assert over_cells.estimate == pytest.approx(1 / 3)
    assert over_cells.method.startswith("t on paired differences")


def test_a_worst_that_would_win_is_refused():
    declared = study(metrics={"lost": {"direction": "minimise", "worst": -5}})
    values = [replace(each, rows=(Row({"lost": 1.0}),)) for each in records(lambda *_: 1.0)]
    values[0] = replace(values[0], status="diverged", rows=())
    with pytest.raises(UserError, match="worst is -5, which is better than the 1 of a run that did not diverge"):
        compare(declared, values).paired("lost", SQUARED, ABSOLUTE)


def test_where_both_sides_diverge_neither_is_better():
    values = [replace(each, status="diverged", rows=()) if each.seed == 0 else each for each in records(lambda *_: 2.0)]
    pairs = compare(study(), values).paired("mae", SQUARED, ABSOLUTE)
    assert pairs.differences.tolist() == [0.0, 0.0, 0.0]
    assert pairs.diverged == (2, 2)


def test_a_negative_value_has_no_ratio_and_zero_is_a_limit():
    negative = compare(study(), records(lambda o, n, seed: -1.0 if seed == 1 else 1.0)).paired("mae", SQUARED, ABSOLUTE)
    assert "mae is -1 in some run" in negative.problem
    assert len(negative.differences) == 0
    zero = compare(study(), records(lambda o, n, seed: 0.0 if o == "absolute" else 1.0))
    assert zero.paired("mae", SQUARED, ABSOLUTE).differences.tolist() == [np.inf] * 3


def test_levels_are_read_from_records_of_any_folder():
    bundle = study(
        factors={
            "objective": ["squared", "absolute"],
            "problem": {"easy": {"data.noise": "0.10"}, "hard": {"data.noise": 0.5, "data.outliers": [1, 2]}},
        }
    )
    hard = record(noise=0.5, seed=1)
    hard = replace(hard, config={**hard.config, "data": {"noise": 0.5, "outliers": [1.0, 2]}})
    comparison = compare(bundle, [record(), hard, record(noise=0.5, seed=2)])
    assert [result.levels["problem"] for result in comparison.results] == ["easy", "hard"]
    assert "fits no level of problem: it has data.noise=0.5, data.outliers=nothing" in comparison.strangers[0].reason


def test_strangers_are_told_and_not_used():
    others = [record(objective="huber"), record(noise=0.3), record(seed=9), record(seed=1, choices={}, config={})]
    comparison = compare(study(exclude=[{"objective": "squared", "data.noise": 0.1}]), [*others, record()])
    assert [stranger.reason for stranger in comparison.strangers] == [
        "its objective is 'huber', which is not among squared, absolute",
        "its data.noise is 0.3, which is not among 0.1, 0.5",
        "the study excludes objective=squared, data.noise=0.1",
        "it has no objective",
        "the study excludes objective=squared, data.noise=0.1",
    ]
    assert comparison.results == ()
    assert comparison.paired("mae", SQUARED, ABSOLUTE).problem == "there are no results"


def test_two_records_of_one_cell_are_an_error_that_says_how_they_differ():
    other = record()
    other = replace(other, key="other", config={**other.config, "trainer": {"max_steps": 200}})
    with pytest.raises(UserError, match=r"squared-0.1-0 and other are both objective=squared, data.noise=0.1, seed=0"):
        compare(study(), [record(), other])
    first = replace(record(), config={**record().config, "trainer": {"max_steps": 100}})
    with pytest.raises(UserError, match=r"they differ in trainer.max_steps \(100 and 200\)"):
        compare(study(), [first, other])


def test_within_run_rows_pair_exactly():
    inner = study(within={"calibrator": ["none", "temperature"]})
    rows = (
        Row({"mae": 1.0}),
        Row({"accuracy": 0.5}, {"calibrator": "none"}),
        Row({"accuracy": 0.7}, {"calibrator": "temperature"}),
        Row({"accuracy": 0.1}, {"calibrator": "isotonic"}),
    )
    comparison = compare(inner, [record(seed=seed, rows=rows) for seed in range(3)])
    place = {"objective": ("squared",), "data.noise": (0.1,)}
    pairs = comparison.paired("accuracy", {"calibrator": ("temperature",)}, {"calibrator": ("none",)}, place)
    assert pairs.differences == pytest.approx([0.2] * 3)
    assert comparison.paired("mae", place, None).first_values == pytest.approx([1.0] * 3)
    assert "no mae where" in comparison.paired("mae", {"calibrator": ("none",)}, None).problem
    assert comparison.counts()[0].finished == 3


def test_a_within_run_factor_that_is_not_declared_is_told():
    rows = (Row({"mae": 1.0}), Row({"mae": 2.0}, {"calibrator": "none"}))
    comparison = compare(study(), [record(rows=rows)])
    assert [result.metrics for result in comparison.results] == [{"mae": 1.0}]
    assert "a level of calibrator, not declared under study.within" in comparison.strangers[0].reason
    twice = compare(study(), [record(rows=(Row({"mae": 1.0}), Row({"mae": 2.0})))])
    with pytest.raises(UserError, match="two values of mae, 1 and 2"):
        twice.paired("mae", SQUARED, None)


def test_what_all_pairs_share_is_told_apart_from_what_some_do_not():
    values = [
        replace(each, pairing={"split": str(each.seed), "init/network": each.key, "order": str(max(each.seed, 1))})
        for each in records(lambda *_: 1.0)
    ]
    values[0] = replace(values[0], pairing={**values[0].pairing, "order": "another"})
    pairs = compare(study(), values).paired("mae", SQUARED, ABSOLUTE)
    assert pairs.shared == ("split",)
    assert pairs.unshared == ("init/network", "order")


def test_narrowing_is_small_where_the_replicate_explains_the_spread():
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 20))
    values = records(lambda o, n, seed: np.exp(seed / 10 + noise[int(o == "squared"), seed]), range(20))
    narrowing = compare(study(20), values).paired("mae", SQUARED, ABSOLUTE).narrowing
    assert narrowing is not None
    assert narrowing < 0.05


def test_replication_is_the_least_independent_of_the_runs():
    values = [replace(each, sizes={"train": 80, "test": 20}, replication="fixed") for each in records(lambda *_: 1.0)]
    assert compare(study(), values).paired("mae", SQUARED, ABSOLUTE).replication == "fixed"
    values[0] = replace(values[0], replication="resplit")
    pairs = compare(study(), values).paired("mae", SQUARED, ABSOLUTE)
    assert (pairs.replication, pairs.test_over_train) == ("resplit", 0.25)
    overruled = compare(study(replication="fresh"), values).paired("mae", SQUARED, ABSOLUTE)
    assert overruled.replication == "fresh"


def test_a_metric_that_no_record_has_is_told_with_those_they_have():
    pairs = compare(study(), records(lambda *_: 1.0)).paired("accuracy", SQUARED, ABSOLUTE)
    assert pairs.problem == "no record has accuracy; they have mae."
