"""No two files of the package import each other in a circle, but for the circles stated here.

Imports inside functions count as those at the top of a file do; those under TYPE_CHECKING do not, nor those of an
`__init__.py`, which only list what their package offers.
"""

import ast
from pathlib import Path

import viewfinder

ROOT = Path(viewfinder.__file__).parent
EXCEPTIONS: set[frozenset[str]] = set()


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, at its top or in a function."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def imports_of(root: Path) -> dict[str, set[str]]:
    files = {
        ".".join(path.relative_to(root.parent).with_suffix("").parts): path
        for path in root.rglob("*.py")
        if path.name != "__init__.py"
    }
    return {name: imported(path) & files.keys() for name, path in files.items()}


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Sets of files that all reach each other (strongly connected components of more than one)."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        reach[start] = seen
    return {frozenset(b for b in reach[a] if a in reach[b]) for a in graph if a in reach[a]}


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == {frozenset("abc")}


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles(imports_of(ROOT)) == EXCEPTIONS
