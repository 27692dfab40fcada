"""What is made of a recorded run: predictions that score what its record says, and samples that do."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error

import paribus
from paribus.cli import main
from paribus.errors import UserError
from paribus.metrics import mode_coverage
from paribus.streams import stream_seed
from paribus.study.records import read_record

FAST = ["trainer.max_steps=15", "trainer.save_checkpoint=true"]
RUNS = {
    "table": ["data=diabetes", "network=mlp", "network.hidden=[8]", "trainer.precision=64-true"],
    "classes": ["family=classification", "data=wine", "network=linear"],
    "images": ["family=classification", "data=digits", "network=linear"],
    "points": ["family=gan", "data=ring_of_gaussians", "evaluation=modes"],
    "pictures": ["family=vae", "data=binary_digits", "encoder.hidden=[8]", "decoder.hidden=[8]"],
    "weightless": ["data=line", "trainer.save_checkpoint=false"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of a run of each kind, made when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def one(kind):
        if kind not in made:
            assert main(["run", *FAST, *RUNS[kind], f"name={kind}", f"output={folder}"]) == 0
            (record,) = (folder / kind).glob("*/run.json")
            made[kind] = record.parent
        return made[kind]

    return one


def predict(run, *words):
    """What the command writes, as texts."""
    output = run.parent.parent / "out.csv"
    assert main(["predict", str(run), *map(str, words), "--output", str(output)]) == 0
    return pd.read_csv(output)


def metrics(run):
    return read_record(run).rows[0].metrics


def test_predictions_score_what_the_record_says(runs):
    table = predict(runs("table"))
    assert root_mean_squared_error(table["target"], table["prediction"]) == pytest.approx(
        metrics(runs("table"))["rmse"]
    )
    table = predict(runs("classes"))
    measured = metrics(runs("classes"))
    assert accuracy_score(table["target"], table["prediction"]) == measured["accuracy"]
    probabilities = table[["p_class_0", "p_class_1", "p_class_2"]]
    assert log_loss(table["target"], probabilities) == pytest.approx(measured["nll"], rel=1e-6)
    table = predict(runs("images"))
    assert accuracy_score(table["target"], table["prediction"]) == metrics(runs("images"))["accuracy"]


@pytest.mark.parametrize("kind", ["table", "classes"])
def test_the_test_part_as_an_input_file_is_predicted_alike(runs, kind, tmp_path):
    """Columns are found by name, in any order; what else the file has is kept."""
    first = predict(runs(kind))
    own = [name for name in first.columns if name not in ("target", "prediction") and not name.startswith("p_")]
    shuffled = first[own[::-1]].assign(who="a, b")
    shuffled.to_csv(tmp_path / "new.csv", index=False)
    again = predict(runs(kind), "--input", tmp_path / "new.csv")
    assert [*again.columns[: len(shuffled.columns)]] == [*shuffled.columns]
    assert set(again["who"]) == {"a, b"}
    for name in first.columns[first.columns.get_loc("prediction") :]:
        if first[name].dtype.kind == "f":
            np.testing.assert_allclose(again[name], first[name], rtol=1e-5)
        else:
            assert (again[name] == first[name]).all()


def test_images_are_read_from_files_and_arrays(runs, tmp_path):
    model = paribus.load(runs("images"))
    rows, inputs, _ = model.data.raw_part("test")
    np.savez(tmp_path / "new.npz", x=inputs[:5])
    (tmp_path / "new" / "below").mkdir(parents=True)
    for row, image in zip(rows[:5], inputs[:5], strict=True):
        Image.fromarray((image[0] * (255 / 16)).round().astype(np.uint8)).save(tmp_path / f"new/below/{row:04}.png")
    expected = predict(runs("images")).set_index("row")
    from_array = predict(runs("images"), "--input", tmp_path / "new.npz")
    from_files = predict(runs("images"), "--input", tmp_path / "new")
    np.testing.assert_allclose(from_array["p_3"], expected["p_3"].iloc[:5], rtol=1e-5)
    named = [int(Path(name).stem) for name in from_files["file"]]
    np.testing.assert_allclose(from_files["p_3"], expected["p_3"].loc[named], atol=0.01)  # whole numbers of 255


def test_samples_score_what_the_record_says(runs, tmp_path):
    run, record = runs("points"), read_record(runs("points"))
    seed = stream_seed(record.seed, "evaluation", "samples")
    path = tmp_path / "points.csv"
    assert main(["sample", str(run), "--count", "2500", "--seed", str(seed), "--output", str(path)]) == 0
    points = torch.from_numpy(pd.read_csv(path).to_numpy()).float()
    data = paribus.load(run).data
    coverage = mode_coverage(points, torch.from_numpy(data.centres), data.scale)
    assert record.rows[0].metrics["modes_covered"] == coverage.covered
    assert record.rows[0].metrics["reverse_kl"] == pytest.approx(coverage.reverse_kl)


def test_pictures_are_the_samples(runs, tmp_path):
    run = runs("pictures")
    for name in ("sheet.png", "array.npz"):
        assert main(["sample", str(run), "--count", "5", "--output", str(tmp_path / name)]) == 0
    samples = np.load(tmp_path / "array.npz")["x"]
    pixels = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert samples.shape == (5, 1, 8, 8)
    assert samples.min() >= 0
    assert samples.max() <= 16  # of the source, where white is 16
    np.testing.assert_allclose(pixels[:8, 9:17], samples[1, 0] * 255 / 16, atol=0.51)
    assert pixels.shape == (17, 26)  # 3 columns and 2 rows, and a line between them
    assert (pixels[9:, 18:] == 0).all()
    assert not np.allclose(samples, paribus.load(run).sample(5, seed=1))


@pytest.mark.parametrize("kind", ["table", "classes", "images"])
def test_inputs_come_back_in_the_units_of_the_source(runs, kind):
    data = paribus.load(runs(kind)).data
    _, inputs, _ = data.raw_part("test")
    raw = torch.from_numpy(inputs.astype(np.float64))
    np.testing.assert_allclose(data.to_input_units(data.to_network_inputs(raw)), raw, rtol=1e-4, atol=1e-4)


def test_a_data_frame_keeps_its_index(runs):
    model = paribus.load(runs("table") / "run.json")
    test = model.predict()
    frame = test.set_index(test["row"].map("patient {}".format))[[*model.data.input_names, "target"]]
    predicted = model.predict(frame.tail(3))
    assert [*predicted.index] == [f"patient {row}" for row in test["row"].tail(3)]
    np.testing.assert_allclose(predicted["prediction"], test["prediction"].tail(3), rtol=1e-5)
    by_position = model.predict(frame[list(model.data.input_names)].tail(3).to_numpy())
    assert by_position["prediction"].tolist() == predicted["prediction"].tolist()


def test_a_text_in_a_data_frame_is_told_with_its_column(runs):
    model = paribus.load(runs("table"))
    table = pd.DataFrame(1.0, index=["x", "y"], columns=list(model.data.input_names))
    with pytest.raises(UserError, match="column 'bmi', row 'y': 'three' is no number"):
        model.predict(table.astype({"bmi": object}).assign(bmi=[1.0, "three"]))


def test_columns_of_numbers_that_are_not_used_are_told(runs, tmp_path, capsys):
    names = paribus.load(runs("table")).data.input_names
    table = pd.DataFrame(0.0, index=[0, 1], columns=list(names)).assign(name="x", city_Berlin=True, id=[1, 2])
    table.to_csv(tmp_path / "new.csv", index=False)
    assert len(predict(runs("table"), "--input", tmp_path / "new.csv").columns) == len(names) + 4
    assert capsys.readouterr().err.endswith("does not use them: city_Berlin, id\n")


def test_a_run_without_weights_says_how_to_get_them(runs, capsys):
    run = runs("weightless")
    before = metrics(run)
    assert main(["predict", str(run)]) == 2
    command = capsys.readouterr().err.splitlines()[-1].split()
    assert command == ["paribus", "run", "--key", str(run), "--weights"]
    assert main(command[1:]) == 0
    assert metrics(run) == before
    assert main(["predict", str(run)]) == 0
    assert (run / "predictions.csv").exists()


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("points", ["predict"], "predicts no target; paribus sample"),
        ("table", ["sample"], "generates no examples; paribus predict"),
        ("points", ["sample", "--output", "x.png"], "rows of 2 numbers, expected a file .csv or .npz"),
        ("points", ["sample", "--output", "x.pgn"], "expected a file that ends in .png, .csv, .npz"),
        ("points", ["sample", "--count", "0"], "count is 0"),
        ("points", ["sample", "--seed", "-1"], "seed is -1"),
        ("pictures", ["sample", "--output", "x.csv"], "images 1 x 8 x 8"),
        ("pictures", ["predict"], "predicts no target; paribus sample"),
        ("table", ["predict", "--input", "misspelt.csv"], "'bmi'  Did you mean 'bmy'?"),
        ("table", ["predict", "--input", "mispelt.csv"], "Did you mean 'misspelt.csv'?"),
        ("table", ["predict", "--input", "misspelt.csv", "--output", "misspelt.csv"], "is the input itself"),
        (
            "table",
            ["predict", "--input", "text.csv"],
            "column 'age', data row 1 (file line 2): 'old' is no number; the run was trained on a column of numbers",
        ),
        ("table", ["predict", "--output", "no/x.csv"], "there is no folder no; create it first"),
        ("table", ["predict", "--input", "wrong.npz"], "inputs are of shape [2, 3], expected [n, 10]: age, sex"),
        ("table", ["predict", "--input", "large.npz"], "inputs are too large"),
        ("table", ["predict", "--input", "."], "expected a CSV or Parquet file"),
        ("images", ["predict", "--input", "misspelt.csv"], "trained on arrays [n, 1, 8, 8]"),
        ("images", ["predict", "--input", "pictures"], "9 x 9 pixels, and the run was trained on images of 8 x 8"),
    ],
)
def test_what_cannot_be_done_is_said(runs, tmp_path, monkeypatch, capsys, kind, words, message):
    run = runs(kind)
    monkeypatch.chdir(tmp_path)
    names = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
    rows = [list(range(10)), list(range(10))]
    for name, header, first in (("misspelt", [*names[:2], "bmy", *names[3:]], 0), ("text", names, "old")):
        with Path(f"{name}.csv").open("w") as file:
            csv.writer(file).writerows([header, [first, *rows[0][1:]], rows[1]])
    np.savez("wrong.npz", x=np.ones((2, 3)))
    np.savez("large.npz", x=np.full((2, 10), 1e300))
    Path("pictures").mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save("pictures/a.png")
    command, *options = words
    assert main([command, str(run), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_a_gpu_has_trained_predicts_without_one(runs, tmp_path):
    folder = tmp_path / "elsewhere"
    shutil.copytree(runs("classes"), folder)
    record = json.loads((folder / "run.json").read_text())
    record["config"]["trainer"] |= {"accelerator": "gpu", "devices": 2, "precision": "16-mixed"}
    (folder / "run.json").write_text(json.dumps(record))
    pd.testing.assert_frame_equal(paribus.load(folder).predict(), paribus.load(runs("classes")).predict())


def test_what_is_no_run_is_said(runs, tmp_path):
    run = runs("table")
    with pytest.raises(UserError, match=r"no such run.*Did you mean 'table'"):
        paribus.load(run.parent.parent / "tabel")
    with pytest.raises(UserError, match=r"has no run\.json"):
        paribus.load(tmp_path)
    runs("points")
    with pytest.raises(UserError, match=r"has \d runs; say which:\n"):
        paribus.load(run.parent.parent)
    assert paribus.load(run.parent).folder == run


def test_data_that_has_changed_is_refused(tmp_path, monkeypatch):
    """Its scaling would be another, and the predictions wrong without a word."""
    monkeypatch.chdir(tmp_path)
    for factor in (1, 2):
        text = "".join(f"{factor * each},{each}\n" for each in range(30))
        Path("mine.csv").write_text(f"a,y\n{text}")
        if factor == 1:
            assert main(["run", *FAST, "data=table", "data.path=mine.csv", "data.target=y"]) == 0
            assert len(paribus.load("runs/scratch").predict(pd.DataFrame({"a": [1, 2]}))) == 2
    with pytest.raises(UserError, match=r"data, .*split of mine.csv changed"):
        paribus.load("runs/scratch")


def test_the_table_of_a_study(tmp_path):
    words = ["run", "-m", "trainer.max_steps=3", "objective=squared,huber", "seed=0,1", f"output={tmp_path}"]
    assert main([*words, "evaluation=regression"]) == 0
    with pytest.raises(UserError, match=r"has 4 runs; say which:\n +\S+  objective=huber seed=0\n") as caught:
        paribus.load(tmp_path / "scratch")
    arms = [" ".join(line.split()[1:]) for line in str(caught.value).splitlines()[1:]]
    assert arms == [f"objective={objective} seed={seed}" for seed in (0, 1) for objective in ("huber", "squared")]
    table = paribus.results(tmp_path / "scratch")
    assert [*table.columns[:2], *table.columns[-5:]] == [
        "objective", "seed", "status", "key", "seconds", "failure", "folder"
    ]  # fmt: skip
    assert table["seed"].tolist() == [0, 1, 0, 1]
    for row in table.itertuples():
        record = json.loads((Path(row.folder) / "run.json").read_text())
        assert row.mae == record["rows"][0]["metrics"]["mae"]
        assert (row.objective, row.key) == (record["choices"]["objective"], record["key"])
    pd.testing.assert_frame_equal(paribus.results(tmp_path), table)  # the only study there
    shutil.copytree(tmp_path / "scratch", tmp_path / "other")
    with pytest.raises(UserError, match=r"holds the runs of 2 folders, expected those of one study: .*other, "):
        paribus.results(tmp_path)
    with pytest.raises(UserError, match="no records"):
        paribus.results(tmp_path / "scratch" / "figures")


def test_importing_paribus_imports_nothing_heavy():
    code = "import sys, paribus; assert not {'torch', 'pandas', 'numpy', 'hydra'} & set(sys.modules), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
