"""Whether calling a function ends the process, read from source without running it.

Followed are functions of the project, by name, through imports and assignments. What is only known at run time, such
as a method of an object, is taken to return.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from finlake.cli.jobs.check_modules import Names, Scope, dotted, module_file, module_scope, names_in

_EXITS = {"exit", "quit", "sys.exit", "os._exit", "os.abort", "builtins.exit", "builtins.quit", "typer.run"}
_CATCH_IT = {"SystemExit", "BaseException", "builtins.SystemExit", "builtins.BaseException"}
_LIBRARIES = {"click", "rich_click", "asyncclick", "cloup", "typer"}
_COMMANDS = {"Command", "Group", "MultiCommand", "CommandCollection", "Typer", "TyperGroup", "get_command"}
_DECORATORS = {"command", "group"}
_CALLS: tuple[list[str], ...] = ([], ["main"], ["__call__"])
_LONGEST = 20
_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_OWN_BODY = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class _Found:
    """What a dotted name stands for: a node and what follows its name, or only the name where no source is known."""

    name: str
    scope: Scope
    node: ast.AST | None = None
    rest: list[str] = field(default_factory=list)


@dataclass
class Exits:
    """One search, from the function `package.…:name` on; `seen` keeps it from going in circles."""

    root: Path
    package: str
    seen: set[ast.AST] = field(default_factory=set)

    def ends(self, parts: list[str], scope: Scope, call: ast.Call | None = None) -> str | None:
        """File and line where the process ends if what `parts` names is called; None if it returns."""
        found = self._find(parts, scope)
        node = found.node
        where = _place(scope, call or node)
        if node is None:
            return where if found.name in _EXITS else None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            command = any(self._decorates(item, found.scope) for item in node.decorator_list)
            if found.rest not in (_CALLS if command else ([],)):
                return None
            return where if command and _standalone(call) else self._body(node, found.scope)
        if isinstance(node, ast.ClassDef):
            wanted = found.rest or ["__init__"]
            methods = [item for item in node.body if isinstance(item, _Function) and [item.name] == wanted]
            return next(filter(None, (self._body(item, found.scope) for item in methods)), None)
        if isinstance(node, ast.Lambda):
            return self._within(node.body, found.scope) if not found.rest else None
        if isinstance(node, ast.Call):
            return self._made(node, found, call, where)
        return None

    def _made(self, node: ast.Call, found: _Found, call: ast.Call | None, where: str) -> str | None:
        """What an assignment's call has made is called: a command, or a partial of something."""
        if self._makes_command(node, found.scope):
            return where if found.rest in _CALLS and _standalone(call) else None
        maker = dotted(node.func) if node not in self.seen else None
        self.seen.add(node)
        partial = maker and self._find(maker, found.scope).name == "functools.partial"
        inner = dotted(node.args[0]) if partial and node.args and not found.rest else None
        return self.ends(inner, found.scope, node) if inner else None

    def _body(self, function: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> str | None:
        if function in self.seen:
            return None
        self.seen.add(function)
        arguments = function.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        own: Names = {item.arg: None for item in given if item is not None}
        own |= names_in(function, scope.package)
        inner = Scope(scope.path, scope.package, ChainMap(own, *scope.names.maps))
        return next(filter(None, (self._within(part, inner) for part in function.body)), None)

    def _within(self, node: ast.AST, scope: Scope) -> str | None:
        for part in _unguarded(node):
            if isinstance(part, ast.Raise) and part.exc is not None and "SystemExit" in ast.unparse(part.exc):
                return _place(scope, part)
            if not isinstance(part, ast.Call):
                continue
            parts = dotted(part.func)
            if parts:
                found = self.ends(parts, scope, part)
            else:
                made = isinstance(part.func, ast.Call) and self._makes_command(part.func, scope)
                found = _place(scope, part) if made and _standalone(part) else None
            if found:
                return found
        return None

    def _find(self, parts: list[str], scope: Scope, left: int = _LONGEST) -> _Found:
        """Follows imports and plain assignments."""
        name = ".".join(parts)
        if not left:
            return _Found("", scope)
        if parts[0] not in scope.names:
            if "*" in scope.names:
                return self._imported(f"{scope.names['*']}.{name}", scope, left - 1)
            return _Found(name, scope)
        bound = scope.names[parts[0]]
        if bound is None:
            return _Found("", scope)
        if isinstance(bound, str):
            return self._imported(".".join([bound, *parts[1:]]), scope, left - 1)
        other = dotted(bound) if isinstance(bound, ast.Name | ast.Attribute) else None
        if other:
            return self._find([*other, *parts[1:]], scope, left - 1)
        return _Found("", scope, bound, parts[1:])

    def _imported(self, name: str, scope: Scope, left: int) -> _Found:
        parts = name.split(".")
        for i in range(len(parts) - 1, 0, -1):
            module = ".".join(parts[:i])
            path = module_file(self.root, module, installed=parts[0] == self.package)
            inner = module_scope(path, module) if path else None
            if inner and (parts[i] in inner.names or "*" in inner.names):
                return self._find(parts[i:], inner, left)
        return _Found(name, scope)

    def _decorates(self, node: ast.expr, scope: Scope) -> bool:
        """The decorator makes a command; Typer's own leave the function as it is."""
        parts = dotted(node.func if isinstance(node, ast.Call) else node)
        if not parts or (len(parts) == 1 and parts[0] not in scope.names):
            return False
        found = self._find(parts, scope)
        tail = found.rest if found.node else found.name.split(".")[1:]
        if not found.node and not found.name:  # a parameter or the like, whose name is all that is known
            tail = parts[1:]
        typer = isinstance(found.node, ast.Call) and (dotted(found.node.func) or [""])[-1] == "Typer"
        return bool(tail) and tail[-1] in _DECORATORS and not typer

    def _makes_command(self, node: ast.Call, scope: Scope) -> bool:
        if isinstance(node.func, ast.Call):  # click.command()(function)
            return self._decorates(node.func, scope)
        parts = dotted(node.func)
        if not parts:
            return False
        found = self._find(parts, scope)
        if isinstance(found.node, ast.ClassDef):
            bases = [dotted(base) for base in found.node.bases]
            return any(base and _is_command(self._find(base, found.scope).name) for base in bases)
        return _is_command(found.name) or (bool(node.args) and self._decorates(node, scope))


def _is_command(name: str) -> bool:
    first, _, last = name.partition(".")
    return first in _LIBRARIES and last.rpartition(".")[2] in _COMMANDS


def _standalone(call: ast.Call | None) -> bool:
    """A command that is called so ends in SystemExit."""
    for item in call.keywords if call else ():
        if item.arg == "standalone_mode":
            return isinstance(item.value, ast.Constant) and bool(item.value.value)
        if item.arg is None:  # **options can hold it
            return False
    return True


def _place(scope: Scope, node: ast.AST | None) -> str:
    return f"{scope.path.name}:{getattr(node, 'lineno', 1)}"


def _unguarded(node: ast.AST) -> Iterator[ast.AST]:
    """What runs in a body, except where SystemExit is caught, and what a function within it would do if called."""
    if isinstance(node, _OWN_BODY):
        return
    yield node
    parts: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Try | ast.TryStar) and any(_catches(handler) for handler in node.handlers):
        parts = [*node.handlers, *node.orelse, *node.finalbody]
    if isinstance(node, ast.With | ast.AsyncWith) and any(_suppresses(item.context_expr) for item in node.items):
        parts = []
    for part in parts:
        yield from _unguarded(part)


def _catches(handler: ast.ExceptHandler) -> bool:
    """It catches SystemExit and does not simply pass it on; to pass on some is to judge the exit code."""
    passed_on = any(
        isinstance(item, ast.Raise) and (item.exc is None or ast.unparse(item.exc) == handler.name)
        for item in handler.body
    )
    return not passed_on and (handler.type is None or _names_exit(handler.type))


def _suppresses(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or (dotted(node.func) or [""])[-1] != "suppress":
        return False
    return any(_names_exit(item) for item in node.args)


def _names_exit(node: ast.expr) -> bool:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(ast.unparse(item) in _CATCH_IT for item in kinds)
