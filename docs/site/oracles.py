"""Which tests hold a class, and what they hold it against: the first sentence of each test file says."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class TestFile:
    """A test file: what it says of itself, and what each of its tests uses of Paribus.

    Attributes:
        path: below the repository's root.
        says: the first sentence of its docstring.
        text: its source.
        used: classes, functions and modules of Paribus that it imports and uses.
        functions: those of each test.
    """

    path: Path
    says: str
    text: str
    used: frozenset[int]
    functions: tuple[frozenset[int], ...]


@cache
def test_files() -> tuple[TestFile, ...]:
    """The test files of the tree."""
    return tuple(read(path) for path in sorted((ROOT / "tests").rglob("test_*.py")))


def read(path: Path) -> TestFile:
    """A test file from its source; it is not run."""
    text = path.read_text()
    tree = ast.parse(text)
    imported = dict(imports(tree))
    tests = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")]
    says = " ".join((ast.get_docstring(tree) or "").partition("\n\n")[0].split())
    functions = tuple(used(test, imported) for test in tests)
    return TestFile(path.relative_to(ROOT), says, text, used(tree, imported), functions)


def imports(tree: ast.AST) -> Iterator[tuple[str, object]]:
    """What a file imports from Paribus, by the names that it has there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "paribus":
            for each in node.names:
                yield each.asname or each.name, member(str(node.module), each.name)


def member(module: str, name: str) -> object:
    """A name of a module, or the module of that name below it."""
    found = getattr(importlib.import_module(module), name, None)
    return found if found is not None else importlib.import_module(f"{module}.{name}")


def used(tree: ast.AST, imported: dict[str, object]) -> frozenset[int]:
    """The identities of what code uses: names that are imported, and attributes of those that are modules."""
    names = [imported[node.id] for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in imported]
    members = [
        getattr(imported[node.value.id], node.attr, None)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in imported
    ]
    return frozenset(id(each) for each in (*names, *members) if each is not None)


def holding(target: object, group: str, name: str = "") -> list[str]:
    """Lines on the tests of a class or function: those of its package that use it, or name the choice; else any.

    What is not Paribus's own is held by the test of the group's configs.
    """
    if target is None:
        return []
    module = getattr(inspect.getmodule(target), "__name__", "").split(".")
    if module[0] != "paribus":
        files = [each for each in test_files() if each.path.name == f"test_{group}s.py"]
    else:
        using = [each for each in test_files() if id(target) in each.used]
        places = (Path("tests", module[1]), Path("tests", f"test_{module[1]}.py"))
        near = [each for each in test_files() if each.path in places or places[0] in each.path.parents]
        words = (f'"{name}"', f'"{group}={name}"')
        files = [each for each in near if each in using]
        files = files or [each for each in near if name and any(word in each.text for word in words)] or using
    return ["\n".join(line(each, target) for each in files)] if files else []


def line(file: TestFile, target: object) -> str:
    """What a file of tests says, and how many of its tests use the class themselves."""
    count = sum(id(target) in each for each in file.functions)
    tests = f" ({count} {'test' if count == 1 else 'tests'})" if count else ""
    return f"- `{file.path}`{tests}: {file.says}"
