"""`paribus compare`: the same statistics over any records, and over tables made elsewhere."""

import numpy as np
import pytest
from scipy import stats

from paribus.cli import main
from paribus.study.records import Row, RunRecord, write_record


def write(folder, objective, values, **changes):
    for seed, value in enumerate(values):
        record = RunRecord(
            key=f"{objective}{seed}",
            experiment="e",
            status="finished",
            config={"objective": {"_target_": objective}, "seed": seed, **changes},
            choices={"objective": objective},
            seed=seed,
            rows=(Row({"mae": float(value)}),),
            measures=({"name": "mae", "direction": "minimise", "unit": "", "scale": "log"},),
        )
        (folder / f"{objective}{seed}").mkdir(parents=True)
        write_record(folder / f"{objective}{seed}", record)


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    common = rng.normal(size=12)
    return np.exp(common), np.exp(common + 0.5 + 0.1 * rng.normal(size=12))


def test_two_folders_are_compared_pair_by_pair(tmp_path, capsys, values):
    write(tmp_path / "a", "absolute", values[0])
    write(tmp_path / "b", "squared", values[1])
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    said = capsys.readouterr().out
    ratio = np.exp(np.log(values[1] / values[0]).mean())
    assert f"squared / absolute = {ratio:.3g} [" in said
    assert "n = 12" in said
    # the interval is never narrower than Student's
    low, high = np.exp(stats.ttest_1samp(np.log(values[1] / values[0]), 0).confidence_interval())
    shown_low, shown_high = map(float, said.split("[")[1].split("]")[0].split(","))
    assert shown_low <= low * 1.01
    assert shown_high >= high * 0.99


def test_confounded_folders_are_refused(tmp_path, capsys, values):
    write(tmp_path / "a", "absolute", values[0], batch=1)
    write(tmp_path / "a2", "absolute2", values[0], batch=1)
    write(tmp_path / "b", "squared", values[1], batch=2)
    code = main(["compare", *(str(tmp_path / name) for name in ("a", "a2", "b")), "--factor", "objective"])
    assert code == 2
    said = capsys.readouterr().err
    assert "batch=1 in 24, batch=2 in 12" in said
    assert "name=NAME" in said
    assert "study.factors" not in said


def test_a_csv_made_elsewhere(tmp_path, capsys, values):
    rows = [
        f"{name},{seed},{value}" for name, column in zip("ab", values, strict=True) for seed, value in enumerate(column)
    ]
    path = tmp_path / "results.csv"
    path.write_text("\n".join(["method,run,error", *rows]))
    assert main(["compare", str(path), "--factor", "method", "--metric", "error", "--replicate", "run"]) == 0
    assert f"b - a = {(values[1] - values[0]).mean():.3g} [" in capsys.readouterr().out
    assert (
        main(["compare", str(path), "--factor", "method", "--metric", "error:minimise:log", "--replicate", "run"]) == 0
    )
    assert f"b / a = {np.exp(np.log(values[1] / values[0]).mean()):.3g} [" in capsys.readouterr().out
    assert main(["compare", str(path), "--factor", "method", "--metric", "error:minimize"]) == 2
    assert "minimise or maximise" in capsys.readouterr().err
    assert main(["compare", str(path), str(path)]) == 2
    assert "one CSV file alone" in capsys.readouterr().err
    assert main(["compare", str(path)]) == 2
    assert "--factor method" in capsys.readouterr().err
    assert main(["compare", str(path), "--factor", "methd", "--metric", "error", "--replicate", "run"]) == 2
    assert "'method'" in capsys.readouterr().err


def test_one_study_run_twice_is_compared_by_folder(tmp_path, capsys, values):
    for name, factor in (("before", 1.0), ("after", 2.0)):
        write(tmp_path / name, "absolute", factor * values[0])
        write(tmp_path / name, "squared", factor * values[1])
    for folders in (["before", "after"], ["."]):
        assert main(["compare", *(str(tmp_path / folder) for folder in folders), "--factor", "folder"]) == 0
        said = capsys.readouterr().out
        assert "objective (absolute, squared)" in said
        assert said.count("= 2.00 ") + said.count("= 0.500 ") == 2


TABLE = """method,seed,err
a,0,1.000
a,1,1.100
a,2,1.200
b,0,1.001
b,1,1.103
b,2,1.201
b,3,1.4
c,7,2
c,8,3
d,0,inf
d,1,2
d,2,2
,5,1
"""


@pytest.mark.parametrize("metric", ["err:minimise:log", "err:minimise:linear"])
def test_nothing_of_a_table_is_dropped_silently(tmp_path, capsys, metric):
    path = tmp_path / "results.csv"
    path.write_text(TABLE)
    assert main(["compare", str(path), "--factor", "method", "--metric", metric]) == 0
    said = capsys.readouterr().out
    assert "left out, as they belong to no cell: 1 (line 14: method is ''" in said
    first, never, diverged = (row for row in said.splitlines() if row.startswith(("  b", "  c", "  d")))
    assert "n = 3" in first
    assert "4 of 7 replicates are missing (replicate 3: not run where method=a)" in first
    assert "pairing made it" in first
    assert "nothing to compare; no replicate has a value in every cell" in never
    assert "at 95 %" not in never
    assert ", no interval at" in diverged
    assert "diverged: 1 of 3 against 0 of 3" in diverged


def test_what_pairing_is_worth_is_always_said(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, values in (("absolute", rng.uniform(1, 2, 12)), ("squared", rng.uniform(1, 2, 12))):
        write(tmp_path / name, name, values)
    assert main(["compare", str(tmp_path)]) == 0
    assert "; pairing " in capsys.readouterr().out


def test_arms_without_a_common_replicate_are_said_to_have_none(tmp_path, capsys, values):
    write(tmp_path, "absolute", values[0][:1])
    write(tmp_path, "squared", values[1][:2])
    (tmp_path / "squared0" / "run.json").unlink()
    assert main(["compare", str(tmp_path)]) == 0
    assert "no two arms have a seed in common" in capsys.readouterr().out


def test_the_unit_of_a_metric_is_shown(tmp_path, capsys, values):
    write(tmp_path, "absolute", values[0])
    write(tmp_path, "squared", values[1])
    for path in tmp_path.glob("*/run.json"):
        path.write_text(path.read_text().replace('"unit": ""', '"unit": "mpg"'))
    assert main(["compare", str(tmp_path)]) == 0
    assert "mae in mpg, lower is better" in capsys.readouterr().out
