"""Which tests hold a class, and what they hold it against: the first line of each test file says."""

import ast
import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class TestFile:
    """A test file: what it says of itself, its text, and the identifiers that it and its functions use."""

    path: Path
    says: str
    text: str
    names: frozenset[str]
    functions: dict[str, frozenset[str]]


@cache
def test_files() -> tuple[TestFile, ...]:
    """The test files of the tree."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text()
        tree = ast.parse(text)
        functions = {
            each.name: identifiers(each)
            for each in tree.body
            if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
        }
        says = " ".join((ast.get_docstring(tree) or "").partition("\n\n")[0].split())
        found.append(TestFile(path.relative_to(ROOT), says, text, identifiers(tree), functions))
    return tuple(found)


def identifiers(tree: ast.AST) -> frozenset[str]:
    """The names that code uses."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return frozenset(names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)})


def holding(target: object, word: str, group: str) -> list[str]:
    """Lines on the tests of a class or function: those of its package that name it, or the choice by its word.

    What is not Paribus's own is held by the test of the group's configs.
    """
    if target is None:
        return []
    module = getattr(inspect.getmodule(target), "__name__", "").split(".")
    name = getattr(target, "__name__", "")
    if module[0] != "paribus":
        files = [each for each in test_files() if each.path == Path("tests", f"test_{group}s.py")]
    else:
        mentioning = [each for each in test_files() if name in each.names or word in each.text]
        near = (Path("tests", module[1]), Path("tests", f"test_{module[1]}.py"))
        files = [each for each in mentioning if each.path in near or each.path.parent in near] or mentioning
    return ["\n".join(line(each, name) for each in files)] if files else []


def line(file: TestFile, name: str) -> str:
    """What a file of tests says, and its tests that name the class themselves."""
    tests = [f"`{test}`" for test, names in file.functions.items() if name in names]
    return f"- `{file.path}`: {file.says}" + (f" In it {', '.join(tests)}." if tests else "")
