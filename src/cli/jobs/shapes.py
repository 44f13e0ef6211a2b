"""The form of the bundle's files: where a mapping, a list or a text is expected, and what stands there instead.

Everything that reads a bundle relies on this form, so that it need not ask at every step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from finlake.config.load import Document, Problem

_WORDS: dict[type, str] = {dict: "a mapping of keys to values", list: "a list", str: "text"}
_WHOLE = re.compile(r"\$\{[^}]*\}")
_TEXTS = [str]
_TASK: dict[str, Any] = {
    "depends_on": [{}],
    "libraries": [{}],
    "python_wheel_task": {"parameters": [], "named_parameters": {}},
    "run_job_task": {"job_parameters": {}},
    "condition_task": {},
    "for_each_task": {},
    "notebook_task": {},
    "spark_python_task": {},
    "sql_task": {"file": {}},
}
_TASK["for_each_task"] = {"task": _TASK}
_JOB: dict[str, Any] = {
    "tasks": [_TASK],
    "parameters": [{}],
    "environments": [{"spec": {"dependencies": []}}],
    "job_clusters": [{}],
    "schedule": {},
}
_RESOURCES: dict[str, Any] = {"jobs": {"*": _JOB}, "*": {"*": {}}}
_ROOT: dict[str, Any] = {
    "bundle": {},
    "include": _TEXTS,
    "variables": {"*": {}},
    "artifacts": {"*": {}},
    "resources": _RESOURCES,
    "targets": {"*": {"variables": {}, "workspace": {}, "resources": _RESOURCES}},
}
# A variable can stand for a list or a mapping, but not for the tasks: their order is read from the file.
_WRITTEN_OUT = ("tasks", "depends_on", "resources", "targets", "variables", "artifacts", "include")


def mended(document: Document) -> list[Problem]:
    """What has another form than a bundle's file; it is taken out, so that the rest can still be judged."""
    if not isinstance(document.data, dict):
        message = "is empty or not a mapping of keys to values"
        return [Problem(document.path, 1, message)]
    return list(_mend(document, document.data, _ROOT, ()))


def _mend(document: Document, node: Any, form: Any, keys: tuple[Any, ...]) -> Iterator[Problem]:
    if isinstance(form, dict):
        places = [(key, form.get(str(key), form.get("*"))) for key in node]
    else:
        places = [(i, form[0] if form else None) for i in range(len(node))]
    for key, inner in reversed(places):  # from the end, since what is taken out moves what follows
        if inner is None:
            continue
        value, where = node[key], (*keys, key)
        if value is None and isinstance(form, dict):
            continue
        kind: type = inner if isinstance(inner, type) else type(inner)
        if isinstance(value, kind):
            if kind is not str:
                yield from _mend(document, value, inner, where)
            continue
        variable = isinstance(value, str) and _WHOLE.fullmatch(value)
        if not variable or any(name in _WRITTEN_OUT for name in where[-2:]):
            path = ".".join(str(part) for part in where)
            message = f"{path} must be {_WORDS[kind]}, got {_short(value)}"
            yield Problem(document.path, document.line(*where), message)
            del node[key]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)


def job_without_variables(data: dict[str, Any]) -> dict[str, Any]:
    """A job whose lists and mappings are all written out; those a variable stands for are left out."""
    return dict(_written_out(data, _JOB))


def _written_out(node: Any, form: Any) -> Any:
    if isinstance(form, dict):
        known = {key: form.get(str(key), form.get("*")) for key in node}
        return {key: _written_out(item, known[key]) for key, item in node.items() if _fits(item, known[key])}
    if isinstance(form, list) and form:
        return [_written_out(item, form[0]) for item in node if _fits(item, form[0])]
    return node


def _fits(value: Any, form: Any) -> bool:
    return form is None or isinstance(form, type) or isinstance(value, type(form))
