"""`finlake draft FILE`: nobody starts from an empty page."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from finlake.cli.options import Options
from finlake.config import Source
from finlake.config.load import Document, parse, read_yaml
from finlake.contracts.drafting.contracted import contracted, moments_of, with_later
from finlake.contracts.drafting.guess_time import guess_time
from finlake.contracts.drafting.profile import snake
from finlake.contracts.drafting.proposal import Proposal, propose
from finlake.contracts.drafting.sample import read_sample, rows_of
from finlake.contracts.drafting.source import later_lines, source_yaml
from finlake.contracts.drafting.use_case import UseCaseDraft, propose_use_case
from finlake.errors import ConfigError, InputError

_TARGET = """# Where finlake runs; --lake and --data on the command line win over what is said here.
target: local
catalog: spark_catalog
lake: lake            # folder of the tables
landing: landing      # where files arrive, within the lake unless absolute
"""


def run_draft(
    options: Options, file: Path, name: str | None, write: bool, use_case: str | None = None
) -> dict[str, Any]:
    """Prints a contract for the file, or with `write` puts it into conf/ and says what to do next.

    `use_case` names the column to be predicted: a feature group and a use case are drafted too, from the contract where
    one is written already.

    Raises:
        InputError: the file cannot be read, or has no rows to learn from.
        ConfigError: a file in conf/ would be overwritten, or the contract that is there has a mistake.
    """
    chosen = first_file(file)
    name = snake(name or source_name(chosen if file.is_file() else file))
    if use_case and (document := contract_of(options.conf, name)):
        return draft_use_case(options, chosen, document, use_case, write)
    made = propose(read_sample(chosen), options.as_of or datetime.now(UTC))
    predicted = propose_use_case(made, name, use_case, last_event(chosen, made)) if use_case else None
    files = {f"sources/{name}.yml": source_yaml(made, name, where(options, file), predicted.later if predicted else [])}
    if predicted:
        files |= files_of(predicted)
    if not write:
        for path, text in files.items():
            click.echo(f"# --- {path}\n{text}" if len(files) > 1 else text, nl=False)
        return {"source": name}
    refuse_existing(options.conf, list(files), ", or give another name with --name")
    begin_folder(options.conf)
    for path, text in files.items():
        keep(options.conf / path, text)
    advise(options, made, name, list(files), predicted.name if predicted else "")
    return {"source": name, "written": list(files)}


def contract_of(conf: Path, name: str) -> Document | None:
    """The contract in conf/, if there is one."""
    path = conf / "sources" / f"{name}.yml"
    return read_yaml(path) if path.exists() else None


def draft_use_case(options: Options, file: Path, document: Document, label: str, write: bool) -> dict[str, Any]:
    """Features and a use case on a contract that is there: it says what the file is, and gets no line but `known_later`."""
    source, problems = parse(Source, document)
    if source is None or problems:
        raise ConfigError("\n".join(["mend the contract, then draft again:", *(str(problem) for problem in problems)]))
    made = contracted(file, source)
    predicted = propose_use_case(made, source.source, label, last_event(file, made, source))
    files, added = files_of(predicted), later_lines(predicted.later)
    click.echo(f"{'' if write else '# '}uses the contract in {document.path}")
    if not write:
        pieces = {f"sources/{source.source}.yml, to be added": "\n".join(["known_later:", *added, ""])} if added else {}
        for path, text in (pieces | files).items():
            click.echo(f"# --- {path}\n{text}", nl=False)
        return {"source": source.source}
    refuse_existing(options.conf, list(files), "")
    begin_folder(options.conf)
    for path, text in files.items():
        keep(options.conf / path, text)
    if added:
        add_later(document, added)
    advise(options, made, source.source, list(files), predicted.name)
    return {"source": source.source, "written": list(files)}


def add_later(document: Document, added: list[str]) -> None:
    """The contract says when the label is learnt, else no check would let the use case pass."""
    text = with_later(document, added)
    if text is not None:
        keep(document.path, text)
    click.echo(f"{'added to' if text is not None else 'ADD YOURSELF to'} {document.path}, under known_later:")
    for line in added:
        click.echo(line)


def files_of(predicted: UseCaseDraft) -> dict[str, str]:
    """Paths within conf/ and texts of the feature group, where there is one, and the use case."""
    files = {f"features/{predicted.group}.yml": predicted.group_text} if predicted.group else {}
    return {**files, f"use_cases/{predicted.name}.yml": predicted.text}


def refuse_existing(conf: Path, files: list[str], otherwise: str) -> None:
    """Nothing that people may have worked on is overwritten."""
    if there := [path for path in files if (conf / path).exists()]:
        raise ConfigError(f"{conf / there[0]} is there already; move it away{otherwise}")


def last_event(file: Path, made: Proposal, source: Source | None = None) -> datetime | None:
    """The last time in the whole file, where the sample is only its beginning; None where only the sample is known."""
    happened = made.happened_at
    if made.sample.complete or happened is None or made.sample.format != "csv":
        return None
    place = list(made.sample.columns).index(happened.raw)
    texts = Counter(row[place].strip() for row in rows_of(file, made.sample) if place < len(row) and row[place].strip())
    if source:
        return max(moments_of(list(texts), source.columns[happened.raw], source).values(), default=None)
    found = guess_time(list(texts), texts, by_name=True, whole=False)
    return max((moment for moment in found.values if moment), default=None) if found else None


def first_file(path: Path) -> Path:
    """The file itself, or the largest of a folder."""
    if not path.is_dir():
        return path
    files = [item for item in path.rglob("*") if item.is_file() and not item.name.startswith((".", "_"))]
    if not files:
        raise InputError(f"there is no file in {path}")
    return max(files, key=lambda item: item.stat().st_size)


def source_name(path: Path) -> str:
    """`Claims 2025-01.csv.gz` -> `Claims`; dates and counters at the end are dropped."""
    stem = path.name
    for _ in path.suffixes:
        stem = stem.rpartition(".")[0] if "." in stem[1:] else stem
    while stem and (stem[-1].isdigit() or stem[-1] in "-_ .") and any(letter.isalpha() for letter in stem):
        stem = stem[:-1]
    return stem or path.stem


def where(options: Options, file: Path) -> str:
    """The path to write: relative to the landing folder if the file lies in it, else absolute."""
    folder = Path(os.path.abspath(options.data or Path(options.lake or "lake") / "landing"))
    full = Path(os.path.abspath(file))
    return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else full.as_posix()


def begin_folder(conf: Path) -> None:
    """An empty folder is enough to begin: the target and the editors' schemas are put where they are missing."""
    from finlake.config.schema_export import write_schemas

    target = conf / "targets" / "local.yml"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_TARGET, "utf-8")
    write_schemas(conf / "schema")


def keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def advise(options: Options, made: Proposal, name: str, files: list[str], use_case: str) -> None:
    for path in files:
        click.echo(f"wrote {options.conf / path}")
    if made.happened_at is None:
        click.echo("no column looks like a time: name one under happened_at before anything else")
    elif made.known_at is None:
        click.echo("confirm known_at: how long until such a row is in your hands?")
    conf = "" if options.conf == Path("conf") else f" --conf {options.conf}"
    steps = [f"finlake ingest --source {name}{conf}", f"finlake refine --source {name}{conf}"]
    if use_case:
        steps += [
            f"finlake {step} --use-case {use_case}{conf}" for step in ("features", "train", "promote", "score", "queue")
        ]
        steps += [f"finlake publish{conf}", f"finlake report{conf}"]
    click.echo(f"next: look through {'them' if len(files) > 1 else 'it'}, then")
    for step in (f"finlake check{conf}", *steps):
        click.echo(f"  {step}")
