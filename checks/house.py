"""The house limits that no linter knows: sizes, names, blind excepts, and circles among our modules.

Run as `python -m checks.house`. Prints every breach, then how long our functions are; exits 1 if there is a breach.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE_LINES = 400
FUNCTION_LINES = 40
CODE = ("src", "tests", "benchmarks", "checks", "dev")

# Names under which anything could be put, and so sooner or later is.
SHAPELESS = {"util", "helper", "common", "misc", "base", "manager", "service", "handler", "core", "v2"}

BLIND = {"Exception", "BaseException"}
# The two edges that must survive whatever the code behind them raises.
MAY_CATCH_ALL = ("src/tallybook/engine/runner.py", "src/tallybook/tracking.py", "src/tallybook/tracking/")

Graph = Mapping[str, set[str]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: its path as seen from the top of the checkout, its text, and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """Its import name; empty for what is not below `src`."""
        parts = Path(self.path).with_suffix("").parts
        if parts[0] != "src":
            return ""
        return ".".join(parts[1:-1] if parts[-1] == "__init__" else parts[1:])

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        return self.module if self.path.endswith("__init__.py") else self.module.rpartition(".")[0]


def main(root: Path) -> int:
    sources = read_sources(root)
    breaches = sorted(breach for source in sources for breach in breaches_in(source))
    breaches += [f"import circle: {' -> '.join(circle)}" for circle in circles(import_graph(sources))]
    for breach in breaches:
        print(breach)
    print(lengths([source for source in sources if source.module]))
    return 1 if breaches else 0


def read_sources(root: Path) -> list[Source]:
    """All our Python files, in order of their paths; a top that is missing has none."""
    tops = [root / top for top in CODE]
    paths = [path for top in tops for path in ([top] if top.is_file() else sorted(top.rglob("*.py")))]
    return [read_source(root, path) for path in paths]


def read_source(root: Path, path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path.relative_to(root).as_posix(), text, ast.parse(text, str(path)))


# -- one file ----------------------------------------------------------------------------------------------------------


def breaches_in(source: Source) -> Iterator[str]:
    yield from too_long_files(source)
    yield from too_long_functions(source)
    yield from shapeless_names(source)
    yield from blind_excepts(source)


def too_long_files(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > FILE_LINES:
        yield f"{source.path}:1: {lines} lines, at most {FILE_LINES}"


def too_long_functions(source: Source) -> Iterator[str]:
    for function in functions(source):
        if length(function) > FUNCTION_LINES:
            lines = f"{length(function)} lines, at most {FUNCTION_LINES}"
            yield f"{source.path}:{function.lineno}: {function.name} has {lines}"


def shapeless_names(source: Source) -> Iterator[str]:
    for part in Path(source.path).with_suffix("").parts:
        if part.lower() in SHAPELESS or part.lower().removesuffix("s") in SHAPELESS:
            yield f"{source.path}:1: {part!r} says nothing about what is inside"


def blind_excepts(source: Source) -> Iterator[str]:
    if source.path.startswith(MAY_CATCH_ALL):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and catches_all(node):
            yield f"{source.path}:{node.lineno}: catches everything; catch what you can name"
        if isinstance(node, ast.Call) and suppresses_all(node):
            yield f"{source.path}:{node.lineno}: suppresses everything; suppress what you can name"


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Whether nothing gets past it. One that ends by raising again, as a rollback does, lets everything pass."""
    last = handler.body[-1]
    passes_on = isinstance(last, ast.Raise) and last.exc is None
    return not passes_on and (handler.type is None or names_all(handler.type))


def suppresses_all(call: ast.Call) -> bool:
    return ast.unparse(call.func).rpartition(".")[2] == "suppress" and any(map(names_all, call.args))


def names_all(node: ast.expr) -> bool:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(ast.unparse(kind).rpartition(".")[2] in BLIND for kind in kinds)


# -- how long functions are --------------------------------------------------------------------------------------------


def functions(source: Source) -> list[Function]:
    return [node for node in ast.walk(source.tree) if isinstance(node, Function)]


def length(function: Function) -> int:
    """Lines from `def` to the end, docstring included, decorators not."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def lengths(sources: list[Source]) -> str:
    pairs = ((source, function) for source in sources for function in functions(source))
    found = sorted((length(function), source.path, function.name) for source, function in pairs)
    if not found:
        return "src: no functions"
    median, ninth, longest = found[len(found) // 2], found[len(found) * 9 // 10], found[-1]
    facts = f"median {median[0]} lines, 90th percentile {ninth[0]}, longest {longest[0]} ({longest[1]} {longest[2]})"
    return f"src: {len(found)} functions, {facts}"


# -- circles -----------------------------------------------------------------------------------------------------------


def import_graph(sources: list[Source]) -> Graph:
    """Which of our modules imports which. An import counts wherever it stands: in a function, under TYPE_CHECKING."""
    ours = {source.module for source in sources if source.module}
    return {source.module: imported_modules(source, ours) for source in sources if source.module}


def imported_modules(source: Source, ours: set[str]) -> set[str]:
    found = {nearest(name, ours) for node in ast.walk(source.tree) for name in imported_names(node, source.package)}
    return found - {""}


def imported_names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        start = absolute(node, package)
        yield from (f"{start}.{alias.name}" for alias in node.names)


def absolute(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    ancestors = package.split(".")
    kept = ancestors[: len(ancestors) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def nearest(name: str, ours: set[str]) -> str:
    """The module of ours that *name* is or lives in; empty if it is not ours."""
    while name and name not in ours:
        name = name.rpartition(".")[0]
    return name


def circles(graph: Graph) -> list[list[str]]:
    """The groups of modules that all reach each other, each in alphabetical order, as are the groups."""
    reach = {module: reachable(graph, module) for module in graph}
    groups = {tuple(sorted(other for other in reach[module] if module in reach[other])) for module in graph}
    return sorted(list(group) for group in groups if group)


def reachable(graph: Graph, start: str) -> set[str]:
    """All modules at the end of some chain of imports from *start*; itself only if a chain comes back to it."""
    found: set[str] = set()
    ahead = list(graph[start])
    while ahead:
        module = ahead.pop()
        if module not in found:
            found.add(module)
            ahead.extend(graph[module])
    return found


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
