"""Every recorded failure that the built rooms can repeat has a test that carries its number."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
BUILT = (*range(1, 33), *range(34, 41))


@cache
def _numbers_carried() -> frozenset[int]:
    """The numbers in the docstrings of tests, and of files all of whose tests are one's own."""
    carried = [_docstrings(path) for path in TESTS.rglob("test_*.py")]
    return frozenset(int(number) for each in carried for number in re.findall(r"\bF(\d\d)\b", each))


def _docstrings(path: Path) -> str:
    module = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    tests = [each for each in functions if each.name.startswith("test_")]
    texts = [ast.get_docstring(module), *(ast.get_docstring(each) for each in tests)]
    return "\n".join(text or "" for text in texts)


@pytest.mark.parametrize("number", BUILT)
def test_a_recorded_failure_has_a_test_that_carries_its_number(number: int) -> None:
    assert number in _numbers_carried()
