"""Two kinds of import-linter contract that it does not ship. Neither minds a module that is not there (yet)."""

import sys
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


def is_in(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


class DirectImports(Contract):
    """Broken by each single import that `forbids` says yes to; chains of imports are of no concern."""

    modules = fields.SetField(subfield=fields.StringField())

    @property
    def subjects(self) -> set[str]:
        return names(self.modules)

    @abstractmethod
    def forbids(self, importer: str, imported: str) -> bool: ...

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        illegal = [line(graph, *found) for found in imports(graph) if self.forbids(*found)]
        return ContractCheck(kept=not illegal, metadata={"illegal": illegal})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for text in check.metadata["illegal"]:
            output.print_error(text)


class ImportedOnlyBy(DirectImports):
    """`modules`, ours or a library's, are imported by themselves and by `importers`, and by nothing else."""

    type_name = "imported_only_by"
    importers = fields.SetField(subfield=fields.StringField())

    def forbids(self, importer: str, imported: str) -> bool:
        return is_in(imported, self.subjects) and not is_in(importer, self.subjects | names(self.importers))


class StandardLibraryOnly(DirectImports):
    """`modules` import themselves and the standard library, and nothing else."""

    type_name = "standard_library_only"

    def forbids(self, importer: str, imported: str) -> bool:
        if not is_in(importer, self.subjects) or is_in(imported, self.subjects):
            return False
        return imported.partition(".")[0] not in sys.stdlib_module_names


def names(field: object) -> set[str]:
    """What import-linter put in the place of the declared *field*; its types do not tell."""
    return cast("set[str]", field)


def imports(graph: ImportGraph) -> Iterator[tuple[str, str]]:
    """Every direct import of our own modules, as (importer, imported)."""
    for importer in sorted(graph.modules):
        if not graph.is_module_squashed(importer):
            yield from ((importer, imported) for imported in sorted(graph.find_modules_directly_imported_by(importer)))


def line(graph: ImportGraph, importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    numbers = sorted({detail["line_number"] for detail in details})
    return f"- {importer} -> {imported} (l.{', '.join(map(str, numbers))})"
