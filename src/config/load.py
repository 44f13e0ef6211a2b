"""Reads conf/ into models and gathers every problem with its file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

from finlake.config.base import Model
from finlake.config.derived import DerivedGroup, in_full
from finlake.config.explain import explain
from finlake.config.features import FeatureGroup
from finlake.config.mart import Mart
from finlake.config.mend import as_meant
from finlake.config.network import Network
from finlake.config.source import Source
from finlake.config.target import Target
from finlake.config.use_case import UseCase
from finlake.errors import ConfigError, UnknownNameError

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Problem:
    """One thing wrong in conf/, where a person can go and mend it."""

    file: Path
    line: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class UnreadableError(ConfigError):
    """A file that is not even YAML, or not a mart; carries its place."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(frozen=True)
class Document:
    """A parsed file that remembers the line of every key."""

    path: Path
    data: Any
    first_line: int = 1

    def line(self, *keys: Any) -> int | None:
        """Line of the innermost of `keys` that is written in the file; `as_`-style aliases are followed."""
        node, line = self.data, self.first_line
        for key in keys:
            if isinstance(node, CommentedMap):
                key = key if key in node else str(key).rstrip("_")
                if key not in node:
                    break
                line = node.lc.key(key)[0] + self.first_line
                node = node[key]
            elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
                line = node.lc.item(key)[0] + self.first_line
                node = node[key]
            else:
                break
        return line


@dataclass
class Config:
    """Everything in conf/ for one target and tenant."""

    root: Path
    target: Target
    sources: dict[str, Source] = field(default_factory=dict)
    marts: dict[str, Mart] = field(default_factory=dict)
    groups: dict[str, FeatureGroup] = field(default_factory=dict)
    use_cases: dict[str, UseCase] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    documents: dict[tuple[str, str], Document] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    digest: str = ""
    modules: dict[str, str] = field(default_factory=dict)  # of conf/python, by name: their texts

    @cached_property
    def silver(self) -> dict[str, Source]:
        """Everything that silver holds versions of: the sources, and networks as sources."""
        made = {}
        for name, network in self.networks.items():
            edges = self.sources.get(network.edges.source)
            made[name] = network.as_source(edges.silver_columns.get(network.edges.amount) if edges else None)
        return {**made, **self.sources}

    def source(self, name: str) -> Source:
        return _pick("source", name, self.silver)

    def network(self, name: str) -> Network:
        return _pick("network", name, self.networks)

    def mart(self, name: str) -> Mart:
        return _pick("mart", name, self.marts)

    def group(self, name: str) -> FeatureGroup:
        return _pick("feature group", name, self.groups)

    def use_case(self, name: str) -> UseCase:
        return _pick("use case", name, self.use_cases)

    def problem(self, kind: str, name: str, message: str, *keys: Any) -> Problem:
        """A problem at the line of `keys` in the file that defines `name`."""
        document = self.documents[(kind, name)]
        return Problem(document.path, document.line(*keys), message)


def _pick(kind: str, name: str, known: dict[str, Any]) -> Any:
    if name not in known:
        raise UnknownNameError(kind, name, known)
    return known[name]


def load(conf: Path | str, target: str = "local", tenant: str | None = None) -> Config:
    """All of conf/. Problems are raised together as one ConfigError, a line each."""
    config = survey(conf, target, tenant)
    if config.problems:
        raise ConfigError("\n".join(str(problem) for problem in config.problems))
    return config


def survey(conf: Path | str, target: str = "local", tenant: str | None = None) -> Config:
    """Like `load`, but keeps what is well-formed and lists the problems."""
    root = Path(conf).resolve()
    if not root.is_dir():
        raise ConfigError(f"no configuration folder at {root}; give it with --conf DIR")
    problems: list[Problem] = []
    config = Config(root, _target(root, target, tenant, problems), problems=problems)
    kinds: tuple[tuple[str, str, type[Any], dict[str, Any]], ...] = (
        ("source", "sources", Source, config.sources),
        ("group", "features", FeatureGroup, config.groups),
        ("use_case", "use_cases", UseCase, config.use_cases),
        ("network", "networks", Network, config.networks),
    )
    derived: dict[str, DerivedGroup] = {}
    for kind, folder, model, found in kinds:
        for path in _files(root / folder, problems):
            document = guarded(path, read_yaml, problems)
            if document is None:
                continue
            if kind == "group" and isinstance(document.data, dict) and "like" in document.data:
                _keep(kind, DerivedGroup, document, derived, config)
            else:
                _keep(kind, model, document, found, config)
    config.groups |= in_full(derived, config.groups, lambda *said: problems.append(config.problem("group", *said)))
    for path in sorted((root / "marts").glob("*.sql")):
        document = guarded(path, read_mart, problems)
        if document is not None:
            _keep("mart", Mart, document, config.marts, config)
    config.modules = _modules(root / "python", problems)
    config.digest = _digest(root, config.target, config.modules)
    return config


def read_yaml(path: Path) -> Document:
    """A YAML 1.2 file: `no` and `on` are words, not booleans.

    Raises:
        UnreadableError: it is no file, not UTF-8 or not YAML.
    """
    return parse_yaml(path, _text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        message = f"is not UTF-8 (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
        raise UnreadableError(Problem(path, line, message)) from error
    except OSError as error:
        what = "is a folder; move it, or make it a file" if path.is_dir() else f"cannot be read: {error.strerror}"
        raise UnreadableError(Problem(path, None, what)) from error


def parse_yaml(path: Path, text: str, first_line: int = 1) -> Document:
    try:
        return Document(path, YAML(typ="rt").load(text), first_line)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + first_line if mark else None
        raise UnreadableError(Problem(path, line, f"not YAML: {_in_one_line(error)}")) from error


def _in_one_line(error: MarkedYAMLError) -> str:
    said = str(error.problem or error.context).strip().splitlines()[0]
    if isinstance(error, DuplicateKeyError):
        return f"{said.split(' with value')[0]}: it stands twice in the same mapping"
    return said


def read_mart(path: Path) -> Document:
    """A mart: the YAML inside the first /* */ comment, plus the SELECT under the key `sql`."""
    text = _text(path)
    head, closed, sql = text.partition("*/")
    if not head.lstrip().startswith("/*") or not closed:
        message = "a mart begins with a comment /* mart: … about: … columns: … */ that describes it"
        raise UnreadableError(Problem(path, 1, message))
    before, header = head.split("/*", 1)
    document = parse_yaml(path, header, before.count("\n") + 1)
    if not isinstance(document.data, CommentedMap):
        raise UnreadableError(Problem(path, 1, "the header must be a mapping with mart, about and columns"))
    document.data["sql"] = sql.strip().rstrip(";")
    return document


def plain(value: Any) -> Any:
    """Ruamel's containers and scalars as ordinary ones."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return datetime(*value.timetuple()[:6], value.microsecond, value.tzinfo)
    return str(value) if isinstance(value, str) else value


def parse(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """The model and no problem, or what is wrong with the document and, if that can be told, what was meant."""
    if not isinstance(document.data, dict):
        return None, [Problem(document.path, 1, "is empty or not a mapping of keys to values")]
    try:
        return model.model_validate(plain(document.data)), []
    except ValidationError as error:
        told = [explain(model, document.data, item) for item in error.errors()]
        found = [Problem(document.path, document.line(*keys), message) for message, keys in told]
        return as_meant(model, plain(document.data), error), found


def _keep(kind: str, model: type[M], document: Document, found: dict[str, M], config: Config) -> None:
    item, problems = parse(model, document)
    config.problems.extend(problems)
    if item is None:
        return
    name = str(getattr(item, kind))
    if name != document.path.stem:
        message = f"{kind}: {name!r} must be called like its file, {document.path.stem!r}"
        config.problems.append(Problem(document.path, document.line(kind), message))
    found[name] = item
    config.documents[(kind, name)] = document


def _files(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    for path in sorted(folder.glob("*")):
        if path.suffix == ".yml":
            yield path
        elif path.suffix == ".yaml":
            problems.append(Problem(path, None, f"would be ignored: rename it to {path.stem}.yml"))


def _target(root: Path, name: str, tenant: str | None, problems: list[Problem]) -> Target:
    path = root / "targets" / f"{name}.yml"
    if not path.is_file():
        raise UnknownNameError(
            "target",
            name,
            (p.stem for p in (root / "targets").glob("*.yml")),
            f"{root / 'targets'}",
        )
    document = _layer(path, problems) or Document(path, CommentedMap(target=name))
    layers = plain(document.data)
    if tenant:
        overlay = root / "tenants" / f"{tenant}.yml"
        if not overlay.is_file():
            raise UnknownNameError("tenant", tenant, (p.stem for p in (root / "tenants").glob("*.yml")))
        document = _layer(overlay, problems) or Document(overlay, CommentedMap())
        layers = _merge(layers, {"tenant": tenant, **plain(document.data)})
    merged = Document(document.path, CommentedMap(layers))
    merged.data.lc.data = getattr(document.data, "lc", merged.data.lc).data or {}
    target, found = parse(Target, merged)
    problems.extend(found)
    return target or Target(target=name)


def _layer(path: Path, problems: list[Problem]) -> Document | None:
    """A target's or tenant's file; an empty one says nothing."""
    document = guarded(path, read_yaml, problems)
    if document is None or document.data is None:
        return None
    if not isinstance(document.data, CommentedMap):
        problems.append(Problem(path, 1, f"must be a mapping of keys to values, not a {_kind(document.data)}"))
        return None
    return document


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "single value"


def other_layers(config: Config) -> list[Problem]:
    """What is wrong with every file of targets/ and tenants/, not only with the chosen ones."""
    problems: list[Problem] = []
    for path in _files(config.root / "targets", problems):
        document = _layer(path, problems)
        if document is None:
            continue
        problems += parse(Target, document)[1]
        name = document.data.get("target")
        if name is not None and str(name) != path.stem:
            message = f"target: {str(name)!r} must be called like its file, {path.stem!r}"
            problems.append(Problem(path, document.line("target"), message))
    for path in _files(config.root / "tenants", problems):
        document = _layer(path, problems)
        if document is None:
            continue
        whole = CommentedMap({"target": "any", "tenant": path.stem, **document.data})
        whole.lc.data = document.data.lc.data or {}
        problems += parse(Target, Document(path, whole))[1]
    return problems


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {
        k: _merge(below[k], v) if isinstance(v, dict) and isinstance(below.get(k), dict) else v
        for k, v in above.items()
    }
    return {**below, **both}


def guarded(path: Path, read: Callable[[Path], Document], problems: list[Problem]) -> Document | None:
    try:
        return read(path)
    except UnreadableError as error:
        problems.append(error.problem)
    return None


def _modules(folder: Path, problems: list[Problem]) -> dict[str, str]:
    """The text of each Python file, by the name under which `python` features call it."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        document = guarded(path, lambda file: Document(file, _text(file)), problems)
        if document is not None:
            found[".".join(path.relative_to(folder).with_suffix("").parts)] = document.data
    return found


def _digest(root: Path, target: Target, modules: dict[str, str]) -> str:
    """Digest of what conf/ says, not of where it lies."""
    sha = hashlib.sha256(target.model_dump_json().encode())
    for path in sorted(root.rglob("*")):
        if (
            path.suffix in (".yml", ".sql")
            and path.is_file()
            and path.parent.name
            in (
                "sources",
                "marts",
                "features",
                "use_cases",
                "networks",
            )
        ):
            sha.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for name, text in modules.items():
        sha.update(f"python/{name}\0{text}\0".encode())
    return sha.hexdigest()[:16]
