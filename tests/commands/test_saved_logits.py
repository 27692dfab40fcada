"""Logits from files: what is read, and what is refused with a message that says where and what is expected."""

import numpy as np
import pytest
import torch

from paribus.commands.saved_logits import read_logits
from paribus.errors import UserError

RNG = np.random.default_rng(0)
LOGITS, LABELS = RNG.normal(size=(6, 3)), np.array([0, 1, 2, 0, 1, 2])
OTHERS = RNG.normal(size=(4, 3))
MANY, FEW = RNG.random(size=(60, 3)), LABELS


def saved(folder, **arrays):
    path = folder / "logits.npz"
    np.savez(path, **arrays)
    return path


def written(folder, text):
    path = folder / "logits.csv"
    path.write_text(text)
    return path


def test_an_npz_is_read_as_it_is(tmp_path):
    read = read_logits(saved(tmp_path, logits=LOGITS, labels=LABELS, val_logits=OTHERS, val_labels=LABELS[:4]))
    assert torch.equal(read.logits, torch.from_numpy(LOGITS))
    assert torch.equal(read.label, torch.from_numpy(LABELS))
    assert torch.equal(read.validation.logits, torch.from_numpy(OTHERS))
    assert read.validation.label.tolist() == [0, 1, 2, 0]
    assert read.classes == ("0", "1", "2")


def test_single_precision_whole_number_labels_in_floats_and_no_validation(tmp_path):
    read = read_logits(saved(tmp_path, logits=LOGITS.astype(np.float32), labels=LABELS.astype(np.float64)))
    assert read.logits.dtype == torch.float64
    assert read.label.tolist() == LABELS.tolist()
    assert read.validation is None


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_one_logit_is_that_of_class_one_against_class_zero(tmp_path, shape):
    values = RNG.normal(size=6)
    read = read_logits(saved(tmp_path, logits=values.reshape(shape), labels=np.array([0, 1, 1, 0, 1, 0])))
    torch.testing.assert_close(read.logits.softmax(1)[:, 1], torch.from_numpy(values).sigmoid())


@pytest.mark.parametrize("logits", [[[0.0, 1.0, 0.0]], [[1.0]]])
def test_a_few_rows_are_not_taken_for_probabilities(tmp_path, logits):
    read = read_logits(saved(tmp_path, logits=np.array(logits), labels=np.array([1])))
    assert read.logits[0, 1] == 1


def test_a_csv_names_classes_and_parts(tmp_path):
    text = "cat,dog,label,part\n1.5,-2,cat,test\n0.5,1,dog,validation\n3,1e4,dog,test\n"
    read = read_logits(written(tmp_path, text))
    assert read.classes == ("cat", "dog")
    assert read.logits.tolist() == [[1.5, -2.0], [3.0, 1e4]]
    assert read.label.tolist() == [0, 1]
    assert read.validation.logits.tolist() == [[0.5, 1.0]]


def test_a_csv_of_numbered_labels_without_parts_is_a_test_part(tmp_path):
    read = read_logits(written(tmp_path, "label,a,b\n1,0.5,0.25\n0,-1,2\n"))
    assert (read.label.tolist(), read.validation) == ([1, 0], None)


HOSTILE = [
    ({"logits": LOGITS}, "has logits; expected an .npz with logits"),
    ({"logit": LOGITS, "labels": LABELS}, "Did you mean 'logit'?"),
    ({"logits": LOGITS, "labels": LABELS[:5]}, "labels is of shape (5,), expected [6]"),
    ({"logits": LOGITS, "labels": np.eye(3)[LABELS]}, "labels is of shape (6, 3), expected [6]"),
    ({"logits": LOGITS, "labels": LABELS + 1}, "labels has 3, expected classes from 0 to 2"),
    ({"logits": LOGITS, "labels": LABELS - 1}, "labels has -1, expected classes from 0 to 2"),
    ({"logits": LOGITS, "labels": LABELS + 0.5}, "expected whole numbers from 0 to 2"),
    ({"logits": np.where(LOGITS > 1, np.nan, LOGITS), "labels": LABELS}, "is nan, expected finite numbers"),
    ({"logits": np.where(LOGITS > 1, np.inf, LOGITS), "labels": LABELS}, "is inf, expected finite numbers"),
    ({"logits": LOGITS[:0], "labels": LABELS[:0]}, "expected at least one row and one class"),
    ({"logits": LOGITS[:, :0], "labels": LABELS}, "expected at least one row and one class"),
    ({"logits": LOGITS[None], "labels": LABELS}, "of shape (1, 6, 3), expected numbers [n, classes]"),
    ({"logits": LOGITS.astype(str), "labels": LABELS}, "expected numbers [n, classes]"),
    ({"logits": MANY / MANY.sum(1, keepdims=True), "labels": FEW.repeat(10)}, "each row sums to 1"),
    ({"logits": MANY[:, 0] / MANY.max(), "labels": np.arange(60) % 2}, "every number is from 0 to 1"),
    ({"logits": LOGITS, "labels": LABELS, "val_logits": OTHERS}, "has val_logits and not the other"),
    ({"logits": LOGITS, "labels": LABELS, "val_logits": OTHERS[:, :2], "val_labels": [0, 1, 0, 1]}, "val_logits 2"),
    (
        {"logits": LOGITS, "labels": LABELS, "val_logits": LOGITS[::-1], "val_labels": LABELS[::-1]},
        "Hold other examples",
    ),
    (
        {
            "logits": MANY,
            "labels": FEW.repeat(10),
            "val_logits": np.concatenate([MANY[::-1][:40], 1 + MANY]),
            "val_labels": np.zeros(100, dtype=int),
        },
        "67% of the rows of logits are rows of val_logits too",
    ),
]


@pytest.mark.parametrize(("arrays", "told"), HOSTILE, ids=[told for _, told in HOSTILE])
def test_an_npz_that_cannot_be_used_is_refused(tmp_path, arrays, told):
    with pytest.raises(UserError) as caught:
        read_logits(saved(tmp_path, **arrays))
    assert told in str(caught.value)
    assert "logits.npz" in str(caught.value)


TEXTS = [
    ("", "has no rows"),
    ("label,a,b\n", "has no rows"),
    ("labl,a,b\n0,1,2\n", "Did you mean 'labl'?"),
    ("label,a,b\n0,1\n", "line 2: expected 3 fields"),
    ("label,a,b\n0,1,x\n", "line 2: 'x' is not a number"),
    ("label,a,b\nc,1,2\n", "line 2: 'c' is not a number"),
    ("label,a,b,part\n0,1,2,tset\n", "part is 'tset', expected test or validation. Did you mean 'test'?"),
    ("label\n0\n", "has no column of logits"),
    ("label,part\n0,test\n", "has no column of logits"),
    (",label,a,b\n0,1,2,3\n", "a column has no name; give each its own"),
    ("label,a,a\n0,1,2\n", "several columns are named 'a'"),
    ("label,label,a\n0,1,2\n", "several columns are named 'label'"),
    ("label,a,b,part\n0,1,2,validation\n", "has no test part"),
]


@pytest.mark.parametrize(("text", "told"), TEXTS)
def test_a_csv_that_cannot_be_used_is_refused(tmp_path, text, told):
    with pytest.raises(UserError) as caught:
        read_logits(written(tmp_path, text))
    assert told in str(caught.value)


def test_files_of_no_use_are_refused(tmp_path):
    saved(tmp_path, logits=LOGITS, labels=LABELS)
    (tmp_path / "logits.txt").write_text("1")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, LOGITS)
    np.savez(tmp_path / "objects.npz", logits=np.array([{}], dtype=object), labels=LABELS)
    for name, told in [
        ("logit.npz", "Did you mean 'logits.npz'?"),
        ("logits.txt", "a file of type '.txt'"),
        ("broken.npz", "is no .npz file"),
        ("array.npz", "is no .npz file"),
        ("objects.npz", "cannot be read"),
    ]:
        with pytest.raises(UserError) as caught:
            read_logits(tmp_path / name)
        assert told in str(caught.value)
