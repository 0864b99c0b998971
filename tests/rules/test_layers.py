"""Layers import one way, files are named for what they hold, and stay readable."""

import ast
from pathlib import Path

from tests.rules.tree import LAYERS, Module, functions, imports, modules, planted

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "services"}
LONGEST_FILE = 450
LONGEST_FUNCTION = 60


def upward_imports(found: list[Module]) -> list[str]:
    """Imports of a higher layer."""
    rank = {layer: number for number, layer in enumerate(LAYERS)}
    wrong = []
    for module in found:
        for line, name in imports(module):
            target = name.partition(".")[0]
            if target in rank and rank[target] < rank[module.layer]:
                wrong.append(f"{module.path}:{line} imports {name}")
    return sorted(set(wrong))


def vague_names(found: list[Module]) -> list[str]:
    """Files whose name says nothing."""
    return [str(module.path) for module in found if FORBIDDEN_NAMES & set(module.path.with_suffix("").parts)]


def too_long(found: list[Module]) -> list[str]:
    """Files and functions that nobody reads in one go."""
    wrong = []
    for module in found:
        if module.text.count("\n") > LONGEST_FILE:
            wrong.append(f"{module.path} has {module.text.count(chr(10))} lines")
        for function in functions(module):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > LONGEST_FUNCTION:
                wrong.append(f"{module.path}:{function.lineno} {function.name} has {length} lines")
    return wrong


def unexplained_imports(found: list[Module]) -> list[str]:
    """Imports inside functions that no comment near them explains."""
    wrong = []
    for module in found:
        lines = module.text.splitlines()
        for function in functions(module):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    near = lines[function.lineno : node.lineno]
                    if not any("#" in line for line in near):
                        wrong.append(f"{module.path}:{node.lineno}")
    return sorted(set(wrong))


def test_a_lower_layer_never_imports_a_higher_one() -> None:
    assert upward_imports(modules()) == []


def test_an_upward_import_is_seen(tmp_path: Path) -> None:
    found = planted(tmp_path, "incidents/bad.py", "def f():\n    from runbooks import runner\n")
    assert upward_imports(found) == [
        "incidents/bad.py:2 imports runbooks",
        "incidents/bad.py:2 imports runbooks.runner",
    ]


def test_files_are_named_for_the_domain_word() -> None:
    assert vague_names(modules()) == []


def test_a_vague_name_is_seen(tmp_path: Path) -> None:
    assert vague_names(planted(tmp_path, "checks/utils.py", "")) == ["checks/utils.py"]


def test_files_and_functions_stay_short() -> None:
    assert too_long(modules()) == []


def test_a_long_function_and_a_long_file_are_seen(tmp_path: Path) -> None:
    found = planted(tmp_path, "checks/long.py", "def f():\n" + "    x = 1\n" * 500)
    assert len(too_long(found)) == 2


def test_an_import_inside_a_function_has_its_reason_beside_it() -> None:
    assert unexplained_imports(modules()) == []


def test_an_unexplained_import_is_seen(tmp_path: Path) -> None:
    assert unexplained_imports(planted(tmp_path, "checks/lazy.py", "def f():\n    import json\n"))
