"""Versions of definitions side by side: older ones stay, and are kept up to date, while a model decides by them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from pyspark.sql import functions as F

from finlake.config import FeatureGroup, UseCase
from finlake.errors import ConfigError, UnknownNameError
from finlake.features.definitions import definition_digest
from finlake.models.registry import CHAMPION
from finlake.pipelines.feature_build import BUILDS, last_build
from finlake.pipelines.step import Step

DEFINITIONS = "ops.feature_definitions"
_COLUMNS = "use_case string, definition string, text string, run_id string, built_at timestamp"
_ABOUT = "Every version of the feature definitions that a table was built from, as JSON."


@dataclass(frozen=True)
class Version:
    """Definitions of a use case as they were, the step that sees them, and the table built from them."""

    step: Step
    use_case: UseCase
    table: str


def version_of(step: Step, use_case: str, definition: str) -> Version | None:
    """The version a model learnt from; None where its definitions or its table are gone."""
    now = step.config.use_case(use_case)
    if definition_digest(now, step.config) == definition:
        return Version(step, now, f"features.{use_case}")
    table = beside(use_case, definition)
    if not (step.lake.exists(DEFINITIONS) and step.lake.exists(table)):
        return None
    return Version(*restored(step, now, definition), table)


def restored(step: Step, use_case: UseCase, definition: str) -> tuple[Step, UseCase]:
    """A step that sees the definitions of that digest, with the policy and the forbidden columns of today.

    Raises:
        UnknownNameError: no table was ever built from such definitions.
        ConfigError: they mean something else today, because finlake or a label changed.
    """
    name, lake = use_case.use_case, step.lake
    stored = lake.read(DEFINITIONS).filter(F.col("use_case") == name).collect() if lake.exists(DEFINITIONS) else []
    texts = {row["definition"]: row["text"] for row in stored}
    if definition not in texts:
        raise UnknownNameError("version of the definitions", definition, texts, f"use case {name}")
    text, config = json.loads(texts[definition]), step.config
    groups = {group: FeatureGroup.model_validate(body) for group, body in text["groups"].items()}
    then = UseCase.model_validate(text["use_case"]).model_copy(
        update={"policy": use_case.policy, "never": use_case.never}
    )
    held = replace(config, groups={**config.groups, **groups}, use_cases={**config.use_cases, name: then})
    if definition_digest(then, held) != definition:
        raise ConfigError(f"definitions {definition} of {name} mean something else today; train on the present ones")
    return replace(step, config=held), then


def beside(use_case: str, definition: str) -> str:
    """The table of definitions that are no longer those in conf/."""
    return f"features.{use_case}_{definition[:8]}"


def remember(step: Step, use_case: UseCase) -> None:
    """Stores the definitions of today, if they are new."""
    lake, config = step.lake, step.config
    used = sorted({entry.partition(".")[0] for entry in use_case.features} - {"this"})
    text = json.dumps(
        {
            "use_case": use_case.model_dump(mode="json", by_alias=True),
            "groups": {name: config.group(name).model_dump(mode="json", by_alias=True) for name in used},
        },
        sort_keys=True,
    )
    row = (use_case.use_case, definition_digest(use_case, config), text, step.run_id, step.now)
    frame = lake.spark.createDataFrame([row], _COLUMNS)
    lake.merge(DEFINITIONS, frame, on=["use_case", "definition"], about=_ABOUT)


def keep_for_its_readers(step: Step, use_case: UseCase) -> None:
    """Puts the table of definitions that have changed beside the one to be built, if the champion learnt from them."""
    lake, table = step.lake, f"features.{use_case.use_case}"
    before = last_build(step, table)
    if before is None or not lake.exists(table):
        return
    definition = before["definition"].partition(" ")[0]
    if definition == definition_digest(use_case, step.config) or definition not in _deciding(step, use_case.use_case):
        return
    kept = beside(use_case.use_case, definition)
    lake.overwrite(kept, lake.read(table), about=f"Features of {use_case.use_case} by definitions {definition}.")
    row = (
        kept.removeprefix("features."),
        *(before[name] for name in ("definition", "inputs", "as_of", "rows", "run_id")),
    )
    lake.merge(BUILDS, lake.spark.createDataFrame([row], lake.read(BUILDS).schema), on=["use_case"])
    step.say(f"{table}: definitions changed; the champion's stay in {kept} until no model decides by them")


def in_use(step: Step, use_case: UseCase) -> list[Version]:
    """Older versions by which a model still decides, and that still mean what they did."""
    name, now, found = use_case.use_case, definition_digest(use_case, step.config), []
    for definition in _deciding(step, name):
        try:
            version = version_of(step, name, definition) if definition != now else None
        except ConfigError as error:  # an update of finlake must not stop the training that ends this
            step.warn(f"{beside(name, definition)} stays as it is, and the champion cannot score news: {error}")
        else:
            found += [version] if version is not None else []
    return found


def forget_unread(step: Step, use_case: UseCase) -> None:
    """Drops the tables of older definitions by which no model decides any more; what they were stays on record."""
    lake, name = step.lake, use_case.use_case
    if not lake.exists(DEFINITIONS):
        return
    rows = lake.read(DEFINITIONS).filter(F.col("use_case") == name).select("definition").collect()
    for definition in {row["definition"] for row in rows} - set(_deciding(step, name)):
        if lake.exists(table := beside(name, definition)):
            lake.drop(table)
            step.say(f"{table}: no model decides by these definitions any more; the table is dropped")


def _deciding(step: Step, use_case: str) -> list[str]:
    """Definitions the champion learnt from."""
    if not step.lake.exists("ops.models"):
        return []
    mine = (F.col("use_case") == use_case) & (F.col("alias") == CHAMPION)
    return [row["definition"] for row in step.lake.read("ops.models").filter(mine).select("definition").collect()]
