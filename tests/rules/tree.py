"""The project's source as the rules read it: parsed modules of the layers, tests and migrations left out."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A layer may import itself and what stands to its right.
LAYERS = ("runbooks", "checks", "incidents", "erpops")


@dataclass(frozen=True)
class Module:
    """One source file: `name` is dotted, `path` relative to the root."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the tree."""
        return list(ast.walk(self.tree))


@cache
def modules() -> list[Module]:
    """Every module of the layers, parsed once for all rules."""
    return _modules_under(ROOT)


def _modules_under(root: Path) -> list[Module]:
    found = []
    for layer in LAYERS:
        for path in sorted((root / layer).rglob("*.py")):
            relative = path.relative_to(root)
            if "migrations" in relative.parts:
                continue
            text = path.read_text(encoding="utf-8")
            name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
            found.append(Module(name, relative, text, ast.parse(text)))
    return found


def planted(root: Path, path: str, text: str) -> list[Module]:
    """A tree with one file, to see a rule fail."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return _modules_under(root)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that the module imports."""
    for node in module.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(module: Module) -> Iterator[ast.Call]:
    """Every call."""
    for node in module.nodes:
        if isinstance(node, ast.Call):
            yield node
