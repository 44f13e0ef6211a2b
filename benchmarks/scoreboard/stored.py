"""Features of public files by finlake's own steps, computed once and kept as Parquet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from benchmarks.measure import line
from finlake.config import Config, FeatureGroup, load
from finlake.config.load import plain
from finlake.features.definitions import definition_digest, select
from finlake.pipelines.registry import load_step
from finlake.pipelines.step import Step, run_step

EXAMPLES = Path(__file__).parents[2] / "examples"


def configuration(example: str, data: Path, lake: Path, further: str = "") -> Config:
    """An example's configuration, with the groups of a file beside this one as features of its use case."""
    config = load(EXAMPLES / example)
    config.target = config.target.model_copy(update={"lake": str(lake), "landing": str(data)})
    if further:
        texts = plain(YAML(typ="rt").load(Path(__file__).with_name(further).read_text("utf-8")))
        groups = [FeatureGroup.model_validate(text) for text in texts]
        config.groups |= {group.group: group for group in groups}
        (use_case,) = config.use_cases.values()
        features = [*use_case.features, *(group.group for group in groups)]
        config.use_cases[use_case.use_case] = use_case.model_copy(update={"features": features})
    return config


def stored_rows(
    example: str, data: Path, work: Path, outcome: Sequence[str], say: Callable[[str], None], further: str = ""
) -> tuple[pd.DataFrame, list[str]]:
    """One row for each decision: decision_key, event_ts, the source's columns, features, and what became of it.

    Args:
        example: folder of examples/.
        data: folder with the public files.
        work: where lake and result stay; features of the same definitions are not computed again.
        outcome: columns of the source that are known later, as they stand in the end.
        say: gets what is being done.
        further: file with more feature groups.

    Returns:
        rows in order of decision_key, and the names of the features.
    """
    lake = work / f"lake-{example}"
    config = configuration(example, data, lake, further)
    (use_case,) = config.use_cases.values()
    features = list(select(use_case, config).outputs)
    kept = work / f"{example}-{definition_digest(use_case, config)[:12]}.parquet"
    if not kept.exists():
        say(f"{example}: computing {len(features)} features")
        arguments = (example, data, lake, further, outcome, kept.with_suffix(".part"))
        with ProcessPoolExecutor(1, get_context("spawn")) as process:  # a Spark session serves one lake
            process.submit(_compute, *arguments).result()
        kept.with_suffix(".part").rename(kept)
    say(f"{example}: {len(features)} features from {kept}")
    return pd.read_parquet(kept).sort_values("decision_key", ignore_index=True), features


def _compute(example: str, data: Path, lake_folder: Path, further: str, outcome: Sequence[str], kept: Path) -> None:
    from pyspark.sql import functions as F

    from finlake.features.decisions import key_text
    from finlake.lakehouse import open_lake

    config = configuration(example, data, lake_folder, further)
    lake = open_lake(config)
    (use_case,) = config.use_cases.values()
    source, name = config.source(use_case.score.each), use_case.use_case
    now = (config.target.as_of or datetime.now(UTC)).replace(tzinfo=UTC)
    for step in ("ingest", "refine", "features"):
        line(f"{name}: {step}")
        arguments = {"use_case": name} if step == "features" else {}
        run_step(Step(lake, config, now, step), load_step(step), arguments)
    became = (
        lake.read(f"silver.{source.source}")
        .where("known_to IS NULL")
        .select(key_text(source.key).alias("decision_key"), *(F.col(f"`{column}`") for column in outcome))
    )
    frame = lake.read(f"features.{name}").join(became, "decision_key")
    small = {"double": "float", "timestamp": "timestamp_ntz"}
    columns = (
        F.col(f"`{column}`").cast(small.get(kind, kind)).alias(column)
        for column, kind in frame.dtypes
        if not column.startswith("_")
    )
    frame.select(*columns).write.mode("overwrite").parquet(str(kept))
