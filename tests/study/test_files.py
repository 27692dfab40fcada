import pytest

from paribus.study.files import fingerprint


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("x,y\n1,2\n")
    (tmp_path / "set" / "data" / "deeper").mkdir(parents=True)
    (tmp_path / "set" / "notes.txt").write_text("old")
    (tmp_path / "set" / "data" / "data.txt").write_text("1 2")
    (tmp_path / "set" / "data" / "deeper" / "result.txt").write_text("1")
    (tmp_path / "uci.py").write_text("")


def of(**data):
    return fingerprint({"data": {"_target_": "uci.py", "fraction": 0.1, **data}, "name": "table.csv"})


def test_what_the_data_names_is_hashed():
    assert list(of(path="table.csv")) == ["table.csv"]
    assert list(of(path="set")) == ["set/notes.txt", "set/data/data.txt"]
    assert list(of(source={"path": "table.csv"})) == ["table.csv"]
    assert of(path="table.csv")["table.csv"][0] == 8


@pytest.mark.parametrize("text", ["missing.csv", "", "standard", "x" * 5000, "nul\0", "~nobody-of-this-name/x"])
def test_other_texts_are_no_files(text):
    assert of(path=text) == {}
    assert fingerprint({}) == {}


def test_a_change_of_content_shows_though_size_and_name_stay(tmp_path):
    before = of(path="table.csv", other="set")
    (tmp_path / "table.csv").write_text("x,y\n1,3\n")
    after = of(path="table.csv", other="set")
    assert [path for path in before if before[path] != after[path]] == ["table.csv"]
    assert before["table.csv"][0] == after["table.csv"][0]


def test_a_touched_file_is_the_same(tmp_path):
    before = of(path="table.csv")
    (tmp_path / "table.csv").touch()
    assert of(path="table.csv") == before


def test_images_of_a_class_count_as_one(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "0.PNG").write_text("one")
        (tmp_path / "images" / name / "1.jpg").write_text("two!")
    (tmp_path / "images" / "cat" / "notes.txt").write_text("not read")
    before = of(path="images")
    assert {name: entry[0] for name, entry in before.items()} == {"images/cat": 7, "images/dog": 7}
    (tmp_path / "images" / "cat" / "1.jpg").touch()
    (tmp_path / "images" / "cat" / "notes.txt").write_text("changed")
    assert of(path="images") == before
    (tmp_path / "images" / "dog" / "1.jpg").write_text("owt!")
    (tmp_path / "images" / "cat" / "0.PNG").rename(tmp_path / "images" / "cat" / "2.png")
    after = of(path="images")
    assert all(before[name] != after[name] for name in before)
    (tmp_path / "images" / "dog" / "1.jpg").unlink()
    assert of(path="images")["images/dog"][0] == 3
