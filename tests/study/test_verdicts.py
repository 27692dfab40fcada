"""Verdicts on claims: planted effects, studies without effects, and every defined special case."""

import json
import time
from dataclasses import replace
from math import exp, inf, log

import numpy as np
import pytest

from paribus.study import statistics
from paribus.study.comparison import Comparison, Result
from paribus.study.parsing import parse_study
from paribus.study.verdict_table import table, to_json
from paribus.study.verdicts import exit_code, judge, pairwise

BETTER = {"kind": "better", "metric": "error", "arm": {"arm": "b"}, "than": {"arm": "a"}}


def study(claims, replicates=20, scale="linear", direction="minimise", **changes):
    return parse_study(
        {
            "question": "Which?",
            "factors": {"arm": ["a", "b", "c"], "place": ["here", "there"]},
            "replicate": {"seed": replicates},
            "metrics": {"error": {"direction": direction, "scale": scale}},
            "claims": [{"id": f"claim-{index}", **claim} for index, claim in enumerate(claims)],
            **changes,
        }
    )


def results(values, **changes):
    """`values[arm][seed]`, the same here and there."""
    return [
        Result({"arm": arm, "place": place}, seed, {"error": float(value)}, "finished", f"{arm}{seed}", **changes)
        for arm, column in values.items()
        for place in ("here", "there")
        for seed, value in enumerate(column)
    ]


def verdict(claim, values, changes=None, **declared):
    """The only verdict of a study that makes one claim."""
    made = study([claim], replicates=max(map(len, values.values())), **declared)
    [only] = judge(made, Comparison(made, results(values, **(changes or {}))))
    return only


def noise(n, seed=0, size=1.0):
    """A sample with mean 0 and standard deviation `size`, exactly."""
    sample = np.random.default_rng(seed).standard_normal(n)
    return size * (sample - sample.mean()) / sample.std(ddof=1)


def arms(difference, n=20, seed=0, size=1.0):
    """Arm a worse than b by `difference` on average, with paired differences of standard deviation `size`."""
    base = np.random.default_rng(seed).normal(10, 3, n)
    return {"a": base + difference + noise(n, seed + 1, size), "b": base}


@pytest.mark.parametrize(
    ("difference", "by", "status", "code"),
    [
        (2, 0, "supported", 0),
        (-2, 0, "refuted", 1),
        (0.1, 0, "undecided", 3),
        (2, 4, "refuted", 1),
        (2, 2, "undecided", 3),
    ],
)
def test_a_planted_difference_gets_its_verdict(difference, by, status, code):
    found = verdict({**BETTER, "by": by}, arms(difference))
    assert found.status == status
    assert exit_code([found]) == code
    [finding] = found.findings
    assert finding.estimate == pytest.approx(difference)
    assert (finding.low > by, finding.high < by) == (status == "supported", status == "refuted")


def test_estimate_and_p_are_those_of_the_procedure():
    values = arms(0.7)
    [finding] = verdict(BETTER, values).findings
    sample = statistics.moments(values["a"] - values["b"])
    assert (finding.low, finding.high) == pytest.approx([float(bound) for bound in statistics.interval(sample, 0.05)])
    assert finding.p == pytest.approx(float(statistics.p_value(sample, 0.0)))
    assert finding.effect == pytest.approx(0.7)
    assert finding.superiority == ((values["a"] > values["b"]).mean())
    assert finding.detectable == pytest.approx(statistics.detectable(20, 0.05))
    assert finding.median == pytest.approx(np.median(values["a"] - values["b"]))
    assert (finding.median_low, finding.median_high) == statistics.median_interval(values["a"] - values["b"], 0.05)


def test_swapping_the_arms_negates():
    values = arms(0.7)
    [finding] = verdict(BETTER, values).findings
    [swapped] = verdict({**BETTER, "arm": {"arm": "a"}, "than": {"arm": "b"}}, values).findings
    assert (swapped.estimate, swapped.low, swapped.high) == pytest.approx(
        (-finding.estimate, -finding.high, -finding.low)
    )
    assert swapped.effect == pytest.approx(-finding.effect)
    assert swapped.superiority == pytest.approx(1 - finding.superiority)


def test_a_metric_to_be_maximised_turns_the_claim_round():
    assert verdict(BETTER, arms(2), direction="maximise").status == "refuted"
    assert verdict(BETTER, arms(-2), direction="maximise").status == "supported"


def test_ratios_do_not_depend_on_the_unit():
    logs = arms(log(3), size=0.2)
    values = {arm: np.exp(column) for arm, column in logs.items()}
    [one] = verdict({**BETTER, "by": 2}, values, scale="log").findings
    assert (one.name, one.scale, one.estimate) == ("a / b", "ratio", pytest.approx(3))
    [scaled] = verdict({**BETTER, "by": 2}, {arm: 1e-6 * c for arm, c in values.items()}, scale="log").findings
    assert (scaled.low, scaled.high, scaled.p) == pytest.approx((one.low, one.high, one.p))
    assert one.detectable == pytest.approx(exp(0.2 * statistics.detectable(20, 0.05)))


@pytest.mark.parametrize(
    ("mean", "status"), [(0.16, "supported"), (0.19, "refuted"), (0.13, "refuted"), (0.175, "undecided")]
)
def test_a_mean_within_a_tolerance(mean, status):
    claim = {"kind": "within", "metric": "error", "value": 0.16, "tolerance": 0.016, "where": {"arm": "a"}}
    found = verdict(claim, {"a": mean + noise(20, size=0.01)}, direction="neither", scale="log")
    assert found.status == status
    assert found.findings[0].estimate == pytest.approx(mean)
    assert found.findings[0].scale == "mean"


@pytest.mark.parametrize(
    ("steps", "status"),
    [((2, 2), "supported"), ((2, -2), "refuted"), ((2, 0.1), "undecided"), ((2, -0.55), "undecided")],
)
def test_an_order_needs_every_step_and_is_refuted_by_one(steps, status):
    first = np.random.default_rng(0).normal(10, 3, 20)
    second = first + steps[0] + noise(20, 1)
    values = {1: first, 2: second, 3: second + steps[1] + noise(20, 2)}
    factors = {"arm": [1, 2, 3], "place": ["here", "there"]}
    ordered = {"kind": "ordered", "metric": "error", "factor": "arm", "levels": [1, 2, 3]}
    monotone = {"kind": "monotone", "metric": "error", "factor": "arm", "trend": "increasing"}
    for claim in (ordered, monotone):
        found = verdict(claim, values, factors=factors)
        assert found.status == status
        assert [finding.estimate for finding in found.findings] == pytest.approx(steps)
    falling = verdict({**monotone, "trend": "decreasing"}, values, factors=factors)
    assert falling.status == "refuted"


def test_a_reversed_step_is_tested_as_one_of_several():
    base = np.random.default_rng(0).normal(10, 3, 20)
    values = {"a": base, "b": base + 2 + noise(20, 1)}
    values["c"] = values["b"] - 0.55 + noise(20, 2)
    found = verdict({"kind": "ordered", "metric": "error", "factor": "arm", "levels": ["a", "b", "c"]}, values)
    alone = verdict({**BETTER, "arm": {"arm": "b"}, "than": {"arm": "c"}}, values)
    assert alone.status == "refuted"
    assert found.p == pytest.approx(2 * alone.p)
    assert found.status == "undecided"


def test_claims_share_the_family_error_by_holm():
    values = {**arms(0.8, seed=4), "c": arms(0, seed=4)["b"] + noise(20, 9)}
    claims = [BETTER, {**BETTER, "arm": {"arm": "c"}}, {**BETTER, "where": {"place": "here"}}]
    made = study(claims)
    found = judge(made, Comparison(made, results(values)))
    family = statistics.holm([each.p for each in found])
    assert [each.p_adjusted for each in found] == pytest.approx(family.adjusted)
    assert [1 - each.level for each in found] == pytest.approx(family.levels)
    for each in found:
        assert (each.p_adjusted <= 0.05) == (each.status != "undecided")
        assert each.findings[0].level == each.level


def test_a_claim_that_cannot_be_evaluated_says_why_and_still_counts_in_the_family():
    made = study([BETTER, {**BETTER, "arm": {"arm": "c"}}])
    found = judge(made, Comparison(made, results(arms(2))))
    assert [each.status for each in found] == ["supported", "not evaluated"]
    assert "a - c: no replicate has a value" in found[1].reason
    assert "not run where arm=c" in found[1].reason
    assert found[0].level == pytest.approx(1 - 0.05 / 2)
    assert exit_code(found) == 1


def test_a_claim_about_a_level_that_was_narrowed_away_is_not_evaluated():
    made = study([BETTER]).narrowed({"arm": ["a", "c"]})
    [found] = judge(made, Comparison(made, results({"a": [1, 2, 3]})))
    assert found.status == "not evaluated"
    assert "the study has no error where arm=b" in found.reason


def test_arms_that_are_identical_are_no_difference():
    base = arms(0)["b"]
    found = verdict(BETTER, {"a": base, "b": base})
    assert (found.status, found.p) == ("undecided", 1.0)
    assert "the arms are identical" in found.reason
    assert "would decide" not in found.reason
    assert (found.findings[0].estimate, found.findings[0].low, found.findings[0].high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("n", "status"), [(5, "undecided"), (6, "supported"), (20, "supported")])
def test_a_constant_difference_is_judged_by_signs(n, status):
    found = verdict(BETTER, {"a": np.arange(n) + 2.5, "b": np.arange(n)})
    assert found.status == status
    assert found.p == pytest.approx(2 * 0.5**n)
    assert "zero variance" in found.findings[0].note


@pytest.mark.parametrize("n", [1])
def test_one_replicate_is_too_few(n):
    found = verdict(BETTER, {"a": [2.0] * n, "b": [1.0] * n})
    assert found.status == "undecided"
    assert "too few replicates" in found.reason
    assert (found.findings[0].estimate, found.findings[0].low) == (1.0, None)


def test_divergence_counts_against_the_arm_that_diverges():
    values = arms(0.5, n=20, size=0.1)
    values["a"][:3] = np.nan
    found = verdict(BETTER, values)
    assert found.status == "supported"
    assert "some runs diverged" in found.reason
    assert found.p == pytest.approx(2 * 0.5**20)
    assert found.findings[0].pairs.diverged == (6, 0), "three replicates, here and there"
    refuted = verdict({**BETTER, "arm": {"arm": "a"}, "than": {"arm": "b"}}, values)
    assert refuted.status == "refuted"
    mostly = {"a": np.full(20, np.nan), "b": np.ones(20)}
    unbounded = verdict(BETTER, mostly)
    assert (unbounded.status, unbounded.findings[0].estimate) == ("supported", inf)
    json.dumps(to_json([unbounded]), allow_nan=False)


def test_a_zero_on_a_log_scale_is_judged_by_signs_and_a_negative_value_not_at_all():
    zero = verdict(BETTER, {"a": np.ones(20), "b": np.zeros(20)}, scale="log")
    assert zero.status == "supported"
    assert "error is 0 in some run" in zero.reason
    negative = verdict(BETTER, {"a": np.ones(20), "b": -np.ones(20)}, scale="log")
    assert negative.status == "not evaluated"
    assert "declare scale: linear" in negative.reason


def test_replicates_that_resplit_one_data_set_need_a_larger_difference():
    values = arms(0.9)
    sizes = {"train": 90, "test": 10}
    assert verdict(BETTER, values).status == "supported"
    found = verdict(BETTER, values, {"replication": "resplit", "sizes": sizes})
    sample = statistics.moments(values["a"] - values["b"], 1 / 9)
    assert found.p == pytest.approx(float(statistics.p_value(sample, 0.0)))
    assert "Nadeau-Bengio" in found.findings[0].method
    assert found.findings[0].median_low is None
    unknown = verdict(BETTER, values, {"replication": "resplit"})
    assert unknown.status == "undecided"
    assert "lack its parts' sizes" in unknown.reason


def test_a_fixed_test_part_limits_the_verdict():
    assert "this test part" in verdict(BETTER, arms(2), {"replication": "fixed"}).limits
    assert verdict(BETTER, arms(2)).limits == ""


def test_a_failed_run_is_counted_in_the_reason():
    made = study([BETTER])
    placed = results(arms(2))
    placed[3] = replace(placed[3], status="failed", metrics={}, failure="MemoryError: full")
    [found] = judge(made, Comparison(made, placed))
    assert found.findings[0].n == 19
    assert "1 of 20 replicates is missing, 1 run failed (replicate 3: failed: MemoryError: full" in found.reason


def test_undecided_says_about_how_many_replicates_would_decide():
    found = verdict(BETTER, arms(0.3))
    assert found.status == "undecided"
    expected = statistics.replicates_for(0.3, 0.05)
    assert found.findings[0].replicates_needed == expected
    assert f"about {expected} replicates would decide" in found.reason


def test_pairwise_compares_each_level_with_the_first_in_every_cell():
    values = {**arms(2), "c": arms(0.1)["b"] + noise(20, 3, 2.0)}
    made = study([])
    findings = pairwise(made, Comparison(made, results(values)), "error", "arm")
    assert [finding.name for finding in findings] == ["b - a", "c - a"] * 2
    assert findings[0].pairs.first == {"place": ("here",), "arm": ("b",)}
    assert findings[0].estimate == pytest.approx(-2)
    family = statistics.holm([finding.p for finding in findings])
    assert [1 - finding.level for finding in findings] == pytest.approx(family.levels)
    nothing = pairwise(made, Comparison(made, results({"a": values["a"]})), "error", "arm")
    assert {finding.n for finding in nothing} == {0}
    assert nothing[0].note == "no replicate has a value in every cell that is compared"


def test_the_table_is_narrow_and_tells_all():
    claims = [
        BETTER,
        {**BETTER, "by": 2, "where": {"place": "here"}},
        {**BETTER, "arm": {"arm": "c"}},
        {"kind": "ordered", "metric": "error", "factor": "arm", "levels": ["b", "a"]},
    ]
    made = study(claims)
    found = judge(made, Comparison(made, results(arms(2))))
    text = table(found)
    assert max(map(len, text.splitlines())) <= 120
    assert "2 supported, 1 undecided, 1 not evaluated" in text.replace("\n", " ")
    for each in found:
        assert each.id in text
    assert table([]) == "The study makes no claims."
    assert exit_code([]) == 0


def test_json_is_plain():
    made = study([BETTER])
    [plain] = to_json(judge(made, Comparison(made, results(arms(2)))))
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again == plain
    assert again["findings"][0]["region_high"] is None
    assert again["findings"][0]["pairs"]["replicates"] == list(range(20))


def test_ten_thousand_rows_are_judged_in_seconds():
    made = parse_study(
        {
            "question": "Which?",
            "factors": {"arm": list(range(20)), "place": list(range(25))},
            "replicate": {"seed": 20},
            "metrics": {"error": {"direction": "minimise"}},
            "claims": [
                {**BETTER, "id": f"{arm}", "arm": {"arm": arm}, "than": {"arm": 0}, "where": {"place": arm}}
                for arm in range(1, 20)
            ],
        }
    )
    generator = np.random.default_rng(0)
    placed = [
        Result(cell, seed, {"error": generator.normal(cell["arm"], 1)}, "finished", "")
        for cell in made.cells()
        for seed in range(20)
    ]
    start = time.process_time()
    comparison = Comparison(made, placed)
    judge(made, comparison)
    assert time.process_time() - start < 3
    start = time.process_time()
    assert len(pairwise(made, comparison, "error", "arm")) == 19 * 25
    assert time.process_time() - start < 6


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["normal", "exponential"])
def test_a_thousand_whole_studies_without_effects(shape):
    claims = [{**BETTER, "where": {"arm": "b"}, "arm": {"place": f"{i}"}, "than": {"place": "base"}} for i in range(5)]
    made = study(claims, factors={"arm": ["b"], "place": ["base", "0", "1", "2", "3", "4"]})
    generator = np.random.default_rng(11)
    wrong = 0
    for _ in range(1000):
        drawn = generator.standard_normal((5, 20)) if shape == "normal" else generator.standard_exponential((5, 20)) - 1
        columns = {"base": np.zeros(20), **{f"{i}": column for i, column in enumerate(drawn)}}
        placed = [
            Result({"arm": "b", "place": place}, seed, {"error": value}, "finished", "")
            for place, column in columns.items()
            for seed, value in enumerate(column)
        ]
        wrong += any(found.status != "undecided" for found in judge(made, Comparison(made, placed)))
    assert wrong / 1000 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 1000)
