"""The training set of a use case: audited, stored, and with what there is to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.errors import TableError, TrainingError
from finlake.features.build import build_features, carried
from finlake.features.decisions import decisions
from finlake.features.definitions import definition_digest, select
from finlake.features.labels import labels, positive_periods
from finlake.features.leakage.declared import audit
from finlake.features.leakage.findings import Finding, refuse_leaks
from finlake.features.splits import Bounds, short_gaps, split_bounds
from finlake.features.training import HELD_OUT, PARTS, training_set
from finlake.pipelines.feature_build import sources_needed
from finlake.pipelines.feature_versions import restored
from finlake.pipelines.known_labels import labels_until
from finlake.pipelines.recomputed import findings_in
from finlake.pipelines.step import Step

AUDITED = "audit.findings"  # figure: how many warnings the auditor gave, and its words


@dataclass(frozen=True)
class TrainingData:
    table: str
    features: list[str]
    definition: str
    digest: str
    split: dict[str, list[str]]  # part -> first and last day
    labels_known: float  # share of the test period's decisions whose label has matured


def training_data(step: Step, use_case: UseCase) -> TrainingData:
    """Audits the definitions, joins labels as known now, cuts the parts and stores the result.

    It is stored because training reads it several times, and because a model's data must stay readable.

    Raises:
        LeakageError: a feature knows what was not known at the moment of the decision.
        TableError: the feature table is missing or was built from other definitions.
    """
    lake, config, name = step.lake, step.config, use_case.use_case
    step.say(f"auditing the features of {name} for leaks")
    versions = {source: lake.read(f"silver.{source}") for source in sources_needed(use_case, config)}
    refuse_leaks(audit(use_case, config, versions))
    features = _features(step, use_case)
    known, bounds = _labelled(step, use_case, features, versions)
    for short in short_gaps(bounds, use_case):
        step.warn(f"{name}: {short}")
    outputs = list(select(use_case, config).outputs)
    made = training_set(features, known, bounds, step.now, use_case.split.hold_out)
    table = f"features.training_{name}"
    lake.overwrite(table, made, about=f"Training set of {name}: decisions with mature labels, in their parts")
    stored = lake.read(table)
    definition, digest = definition_digest(use_case, config), lake.digest(stored)
    if learnt := _learnt_from(step, name, digest, definition):
        step.say(f"{name} v{learnt} learnt from these very rows, which were audited then")
    else:
        _audit(step, use_case, stored.where(F.col("part").isin(*PARTS)), versions)
    counted = {
        row["part"]: row
        for row in stored.groupBy("part").agg(F.count("label").alias("rows"), F.sum("label").alias("hits")).collect()
    }
    for part in (*PARTS, HELD_OUT):
        if part in counted:
            step.say(
                f"{part.replace('_', ' ')}: {counted[part]['rows']:,} decisions, {counted[part]['hits']:,} of them {use_case.label.name}"
            )
    return TrainingData(
        table,
        outputs,
        definition,
        digest,
        _days(bounds, use_case),
        _share_known(features, known, bounds),
    )


def leaks_in_rows(step: Step, use_case: UseCase) -> tuple[int, int, list[Finding]]:
    """Looks for leaks in the training set that the stored feature table gives now; no table stays.

    Returns:
        decisions looked at, how many of them are positive, and the findings, those that stop a training too.

    Raises:
        TableError: there is no feature table, or it was built from other definitions.
        TrainingError: too few labels have matured for a training set.
    """
    lake, name = step.lake, use_case.use_case
    versions = {source: lake.read(f"silver.{source}") for source in sources_needed(use_case, step.config)}
    features = _features(step, use_case)
    known, bounds = _labelled(step, use_case, features, versions)
    work = f"ops.audited_{step.name}_{name}"
    made = training_set(features, known, bounds, step.now)
    lake.overwrite(work, made, about="Work of the auditor in progress.")
    try:
        stored = lake.read(work)
        counted = stored.agg(F.count("label").alias("rows"), F.sum("label").alias("hits")).first()
        if counted is None or not counted["rows"]:
            raise TrainingError(f"no decision of {name} has a label that has matured by {step.now:%d %b %Y %H:%M}")
        return int(counted["rows"]), int(counted["hits"]), findings_in(step, use_case, stored, versions)
    finally:
        lake.drop(work)


def remade(step: Step, use_case: str, definition: str = "") -> DataFrame:
    """The training set as of the step's moment, as it would be made then; nothing is written.

    Values, labels and parts are those known at that moment, also where corrections have come since. A file that came
    later and says it was known earlier counts.

    Args:
        step: stands at the moment.
        use_case: whose training set.
        definition: digest of older definitions, as a model's card names them; default: those of today.

    Raises:
        UnknownNameError: no table was ever built from such definitions.
    """
    chosen = step.config.use_case(use_case)
    if definition:
        step, chosen = restored(step, chosen, definition)
    versions = {name: step.lake.read(f"silver.{name}") for name in sources_needed(chosen, step.config)}
    refuse_leaks(audit(chosen, step.config, versions))
    scored = step.config.source(chosen.score.each)
    decided = decisions(versions[scored.source], chosen, scored).filter(F.col("decision_ts") <= F.lit(step.now))
    features = build_features(decided, versions, chosen, step.config)
    known, bounds = _labelled(step, chosen, decided, versions)
    return training_set(features, known, bounds, step.now, chosen.split.hold_out)


def _labelled(
    step: Step, use_case: UseCase, decided: DataFrame, versions: Mapping[str, DataFrame]
) -> tuple[DataFrame, Bounds]:
    """Labels of decisions as far as they are known at the step's moment, and the parts' bounds."""
    config = step.config
    scored, source = config.source(use_case.score.each), config.source(use_case.label.from_.source)
    periods = positive_periods(versions[source.source], use_case, source, scored)
    span = decided.agg(F.min("event_ts").alias("first"), F.max("event_ts").alias("last")).first()
    assert span is not None
    until = labels_until(step, use_case, versions[source.source])
    bounds = split_bounds(use_case, until, span["first"], span["last"])
    return labels(decided, periods, use_case, scored, until), bounds


def _learnt_from(step: Step, use_case: str, digest: str, definition: str) -> str:
    """The version of a model that learnt from these rows by these definitions; empty where there is none."""
    if not step.lake.exists("ops.models"):
        return ""
    same = (F.col("training_digest") == digest) & (F.col("definition") == definition)
    found = step.lake.read("ops.models").where((F.col("use_case") == use_case) & same).first()
    return str(found["version"]) if found else ""


def _audit(step: Step, use_case: UseCase, stored: DataFrame, versions: Mapping[str, DataFrame]) -> None:
    """Looks for leaks in the stored rows; what has an honest explanation too is a warning.

    Raises:
        LeakageError: a finding is sure.
    """
    findings = findings_in(step, use_case, stored, versions)
    refuse_leaks(findings)
    said = "; ".join(f"{finding.feature}: {finding.reason}" for finding in findings)
    step.figure(AUDITED, len(findings), text=said, use_case=use_case.use_case, tables=[])
    for finding in findings:
        step.warn(f"{use_case.use_case}: {finding}")


def _features(step: Step, use_case: UseCase) -> DataFrame:
    name = f"features.{use_case.use_case}"
    frame = step.lake.read(name)
    wanted = definition_digest(use_case, step.config)
    found = frame.select("_definition").first()
    if found is None or found["_definition"] != wanted:
        built = f"from definitions {found['_definition']}" if found else "without rows"
        raise TableError(
            f"{name} was built {built}, the definitions now are {wanted}; "
            f"run: finlake features --use-case {use_case.use_case}"
        )
    lacking = [column for column in carried(use_case, step.config) if column not in frame.columns]
    if lacking:
        raise TableError(
            f"{name} was built before the use case asked for {', '.join(lacking)}; "
            f"run: finlake features --use-case {use_case.use_case} --rebuild"
        )
    return frame.where(F.col("decision_ts") <= F.lit(step.now))


def _days(bounds: Bounds, use_case: UseCase) -> dict[str, list[str]]:
    made = {}
    for part in PARTS:
        first, last = getattr(bounds, part).days(use_case.zone)
        made[part] = [first.isoformat() if first else "the beginning", last.isoformat()]
    return made


def _share_known(features: DataFrame, known: DataFrame, bounds: Bounds) -> float:
    tested = features.where(F.col("event_ts") < F.lit(bounds.test.until))
    if bounds.test.since is not None:
        tested = tested.where(F.col("event_ts") >= F.lit(bounds.test.since))
    share = F.avg((F.col("matured") & F.col("label").isNotNull()).cast("double"))
    found = tested.select("decision_key").join(known, "decision_key").agg(share.alias("share")).first()
    return float(found["share"] or 0.0) if found else 0.0
