"""The pages' common shell: navigation, style, footer; and where each page lies."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from finlake.reporting import formats

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Kind:
    """A kind of page: `Queue` with one page a use case, or one page alone (`members` empty)."""

    title: str
    address: str  # `{}` stands for the use case
    members: Sequence[str] = ()

    def of(self, member: str = "") -> str:
        return self.address.format(member)


@dataclass(frozen=True)
class Page:
    """Where a page lies: its address, its kind and member in the navigation, and the table versions it was made from."""

    address: str
    kind: str
    member: str = ""
    tables: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Link:
    title: str
    address: str  # relative to the page it stands on
    current: bool


class Site:
    """Renders and writes pages that link to each other by relative addresses. Every value from data is escaped."""

    def __init__(self, out: Path, lake: str, made_at: datetime, kinds: Sequence[Kind]) -> None:
        self._out, self._lake, self._made_at, self._kinds = out, lake, made_at, kinds
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._environment.filters |= formats.FILTERS
        self._style = Markup((_TEMPLATES / "style.css").read_text("utf-8"))

    def write(self, template: str, page: Page, facts: Mapping[str, Any]) -> Path:
        """Writes a page; a template sees `facts`, the navigation, and `to`, which gives addresses of other pages."""
        path = self._out / page.address
        path.parent.mkdir(parents=True, exist_ok=True)
        nav = [
            Link(k.title, _relative(_first(k, page.member), page.address), k.title == page.kind) for k in self._kinds
        ]
        members = {kind.title: kind for kind in self._kinds}[page.kind].members
        siblings = [Link(name, self._to(page.kind, name, page.address), name == page.member) for name in members]
        shell = {
            "lake": self._lake, "made_at": self._made_at, "style": self._style, "nav": nav, "tables": page.tables,
            "siblings": siblings if len(siblings) > 1 else [],
            "to": lambda kind, member="": self._to(kind, member, page.address),
        }  # fmt: skip
        path.write_text(self._environment.get_template(template).render(**shell, **facts), "utf-8")
        return path

    def _to(self, kind: str, member: str, address: str) -> str:
        """Relative address of a page, empty where there is none."""
        found = next((one for one in self._kinds if one.title == kind), None)
        if found is None or (found.members and member not in found.members):
            return ""
        return _relative(found.of(member), address)


def _first(kind: Kind, member: str) -> str:
    """From a use case's page to the same use case's page of another kind, else to the first one."""
    if not kind.members:
        return kind.of()
    return kind.of(member if member in kind.members else kind.members[0])


def _relative(to: str, on: str) -> str:
    return Path(os.path.relpath(to, Path(on).parent)).as_posix()
