"""Nothing is missing at run time (F12): every module can be imported, every name it takes from another is there."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import tallybook

TOP = Path(tallybook.__file__).parent
RUN_BY_ALEMBIC = "tallybook.migrations.env"


def names_of_modules() -> list[str]:
    paths = sorted(TOP.rglob("*.py"))
    names = [".".join(path.relative_to(TOP.parent).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return [name for name in names if name != RUN_BY_ALEMBIC and not name.endswith("__main__")]


def source_of(module: ModuleType) -> ast.Module:
    assert module.__file__ is not None
    return ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", names_of_modules())
def test_every_module_and_every_name_it_asks_another_for_is_there(name: str) -> None:
    """Also what is imported inside functions, which nothing else would notice before the function runs."""
    module = importlib.import_module(name)
    for public in getattr(module, "__all__", ()):
        assert getattr(module, public) is not None
    missing = [f"{of}.{word}" for of, word in asked_for(source_of(module)) if not there(of, word)]
    assert missing == []


def asked_for(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("tallybook"):
            yield from ((str(node.module), alias.name) for alias in node.names)


def there(module: str, word: str) -> bool:
    if hasattr(importlib.import_module(module), word):
        return True
    try:
        importlib.import_module(f"{module}.{word}")
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("name", names_of_modules())
def test_what_a_module_calls_of_another_is_there(name: str) -> None:
    """`read.why(…)`: the module that `read` stands for has a `why`."""
    module = importlib.import_module(name)
    tree = source_of(module)
    aliases = {alias: found for alias, found in vars(module).items() if is_ours(found)}
    asked = [
        (node.value.id, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases
    ]
    taken = {argument.arg for argument in ast.walk(tree) if isinstance(argument, ast.arg)} | stored_names(tree)
    missing = [(of, word) for of, word in asked if of not in taken and not hasattr(aliases[of], word)]
    assert missing == []


def is_ours(found: object) -> bool:
    return isinstance(found, ModuleType) and found.__name__.startswith("tallybook")


def stored_names(tree: ast.Module) -> set[str]:
    """Names that stand for something else somewhere in the file."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
