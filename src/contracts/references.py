"""Rules between sources: which rows another source must already hold, and the order that follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import Source
from finlake.errors import ContractError, UnknownNameError


@dataclass(frozen=True)
class Reference:
    """`column` must be found in `key` of the other source's current rows; `flag` is the column that says so."""

    position: int
    rule: str
    column: str
    source: str
    key: str
    flag: str


def references_of(source: Source, sources: Mapping[str, Source]) -> list[Reference]:
    """The reference rules of a contract, in its order."""
    found = []
    for position, rule in enumerate(source.expect):
        if rule.name != "expect_reference":
            continue
        other = str(rule.arguments.get("in", ""))
        if other not in sources:
            raise UnknownNameError("source", other, sources, f"expect_reference of {source.source}")
        key = rule.arguments.get("key") or sources[other].key[0]
        found.append(Reference(position, rule.rule, rule.arguments["column"], other, key, f"_ref_{position}"))
    return found


def attach(df: DataFrame, references: list[Reference], tables: Mapping[str, DataFrame | None]) -> DataFrame:
    """Adds each reference's flag: true if the other source holds the value now, null if it has no table yet."""
    for reference in references:
        table = tables.get(reference.source)
        if table is None:
            df = df.withColumn(reference.flag, F.lit(None).cast("boolean"))
            continue
        current = table.where(F.col("known_to").isNull())
        held = current.select(F.col(reference.key).alias("_held")).distinct().withColumn("_found", F.lit(True))
        joined = df.join(held, df[reference.column] == held["_held"], "left")
        df = joined.withColumn(reference.flag, F.coalesce("_found", F.lit(False))).drop("_held", "_found")
    return df


def depends_on(sources: Mapping[str, Source], names: Iterable[str]) -> dict[str, set[str]]:
    """Each of the named sources -> those of them it refers to, which are refined first.

    Raises:
        ContractError: sources refer to each other in a circle.
    """
    wanted = set(names)
    graph = {
        name: {str(r.arguments.get("in")) for r in sources[name].expect if r.name == "expect_reference"}
        & wanted - {name}
        for name in sorted(wanted)
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise ContractError(
            f"sources refer to each other in a circle: {circle}; take one expect_reference out, and check it in a mart"
        ) from error
    return graph
