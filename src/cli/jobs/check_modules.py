"""Modules of the bundle's project as source: where they are, and what their names stand for."""

from __future__ import annotations

import ast
import tomllib
from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# What a name is bound to: what it imports as a dotted name, what defines it, or nothing that can be told.
Names = dict[str, "str | ast.AST | None"]
_OWN_NAMES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class Scope:
    """The names a piece of code sees, in the file it stands in; `package` is what relative imports begin from."""

    path: Path
    package: str
    names: ChainMap[str, str | ast.AST | None]


def project_table(root: Path) -> dict[str, Any] | None:
    """Content of the bundle's pyproject.toml; None if there is none."""
    path = root / "pyproject.toml"
    return _table(path.read_text("utf-8")) if path.is_file() else None


@lru_cache(maxsize=8)
def _table(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def module_file(root: Path, module: str, *, installed: bool = True) -> Path | None:
    """Source of a module: in the bundle's project, else (if asked) where Python would find it."""
    first, *rest = module.split(".")
    for folder in _folders(root, first, installed):
        place = folder.joinpath(*rest)
        for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if path.is_file():
                return path
    return None


def _folders(root: Path, first: str, installed: bool) -> Iterator[Path]:
    settings = (project_table(root) or {}).get("tool", {}).get("setuptools", {})
    folders = settings.get("package-dir", {})
    if first in folders:
        yield root / folders[first]
        return
    packages = settings.get("packages", {})
    where = packages.get("find", {}).get("where", []) if isinstance(packages, dict) else []
    for folder in (folders.get("", "."), *where, ".", "src"):
        yield root / folder / first
    spec = find_spec(first) if installed and first else None  # only of the first part: of another it would import
    if spec is not None:
        yield from map(Path, spec.submodule_search_locations or ())
        if spec.origin and spec.origin.endswith(".py"):
            yield Path(spec.origin).with_suffix("")


def module_scope(path: Path, module: str) -> Scope | None:
    """What a module's names stand for; None if it is not Python."""
    try:
        tree = _parsed(path.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return None
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return Scope(path, package, ChainMap(names_in(tree, package)))


@lru_cache(maxsize=256)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def names_in(body: ast.AST, package: str) -> Names:
    """The names bound in a module or function, not those of functions within it; the last binding counts."""
    found: Names = {}
    for node in _inside(body):
        if isinstance(node, ast.Import):
            for item in node.names:
                first = item.name.partition(".")[0]
                found[item.asname or first] = item.name if item.asname else first
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for item in node.names:
                found[item.asname or item.name] = base if item.name == "*" else f"{base}.{item.name}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found[target.id] = node.value
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.setdefault(node.id, None)
    return found


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _OWN_NAMES):
            yield from _inside(child)


def dotted(node: ast.AST) -> list[str] | None:
    """`a.b.c` as its parts; None for anything else."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return [*before, node.attr] if before else None
    return None
