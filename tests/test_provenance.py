import pytest

from paribus import provenance


@pytest.fixture
def package(tmp_path):
    for name in ("objectives/robust.py", "job.py", "report/page.py", "study/plan.py", "cli.py"):
        (tmp_path / "package" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "package" / name).write_text("before")
    return tmp_path / "package"


def hashed(package, users_own=""):
    provenance._hash_of.cache_clear()
    try:
        return provenance._hash_of(package, users_own)
    finally:
        provenance._hash_of.cache_clear()


@pytest.mark.parametrize(("name", "counts"), [
    ("objectives/robust.py", True), ("job.py", True), ("a_new_one.py", True),
    ("report/page.py", False), ("study/plan.py", False), ("cli.py", False),
])  # fmt: skip
def test_the_code_is_what_training_and_evaluation_are_made_of(package, name, counts):
    before = hashed(package)
    (package / name).write_text("after")
    assert (hashed(package) != before) == counts


def test_what_does_not_compute_exists():
    root = provenance.Path(provenance.__file__).parent
    assert all((root / name).exists() for name in provenance.NOT_COMPUTING)


@pytest.mark.parametrize("named", ["own_package", "own_module", "own_package.inner"])
def test_users_own_packages_are_code(package, tmp_path, monkeypatch, named):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_package").mkdir()
    for path in (tmp_path / "own_package" / "inner.py", tmp_path / "own_module.py"):
        path.write_text("raise RuntimeError('it is not to be imported')")
    before = hashed(package, f"{named}, ")
    assert before != hashed(package)
    for path in (tmp_path / "own_package" / "inner.py", tmp_path / "own_module.py"):
        path.write_text("after")
    assert hashed(package, f"{named}, ") != before


@pytest.mark.parametrize("named", ["no_such_package", "no_such.inner", "sys"])
def test_what_has_no_source_counts_for_nothing(package, named):
    assert hashed(package, named) == hashed(package)


def test_the_variable_is_read_when_it_is_asked(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_of_the_variable.py").write_text("")
    before = provenance.code_hash()
    monkeypatch.setenv("PARIBUS_TARGETS", "own_of_the_variable")
    assert provenance.code_hash() != before
    assert provenance.environment()["code"] == provenance.code_hash()
