"""Dirt on demand: what real deliveries get wrong, planted in rows about to be written, with a count of each.

Pure: a frame in, a frame out. A row gets at most one kind of dirt, so that the counts can be compared with what
the contract's checks find.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.simulation.draws import Draws

SENT, KIND = "_sent", "_dirt"


@dataclass(frozen=True)
class Spoil:
    """One kind of dirt: how often, what it writes over, and what should become of the row."""

    rate: float
    values: Mapping[str, Column] = field(default_factory=dict)
    fate: str = "quarantined"
    again: bool = False  # the sound row is there too, and this one is sent besides it
    later: Column | None = None  # seconds between the sound row's sending and this one's


def soil(
    frame: DataFrame,
    draws: Draws,
    source: str,
    key: Column,
    spoils: Mapping[str, Spoil],
    factor: float = 1.0,
    eligible: Column | None = None,
    resend: Mapping[str, Column] | None = None,
) -> DataFrame:
    """The frame with dirt, and `_dirt` saying what was planted (null: nothing).

    Args:
        frame: rows about to be written, with `_sent`, the time of sending, which decides their file.
        key: a whole number that identifies the row.
        factor: multiplies every rate; 0 leaves the frame clean.
        eligible: only these rows may get dirt.
        resend: columns that carry the time of sending, from the new `_sent`; exact copies keep theirs.

    Raises:
        ConfigError: the rates add up to more than all rows.
    """
    total = sum(s.rate for s in spoils.values()) * factor
    if not 0 <= total <= 1:
        most = f"between 0 and {factor / total:.1f}" if total > 0 else "of 0 or more"
        raise ConfigError(f"dirt for {source} would spoil {total:.0%} of its rows; give a factor {most}")
    if total == 0:
        return frame.withColumn(KIND, F.lit(None).cast("string"))
    chosen, upto = F.lit(None).cast("string"), 0.0
    uniform = F.col("_u")
    for name, spoil in spoils.items():
        low, upto = upto, upto + spoil.rate * factor
        chosen = F.when((uniform >= low) & (uniform < upto), F.lit(name)).otherwise(chosen)
    if eligible is not None:
        chosen = F.when(eligible, chosen)
    frame = frame.withColumn("_u", draws.uniform(f"dirt/{source}", key)).withColumn("_chosen", chosen)
    again = [name for name, spoil in spoils.items() if spoil.again]
    both, one = F.array(F.lit(False), F.lit(True)), F.array(F.lit(False))
    frame = frame.withColumn("_copy", F.explode(F.when(F.col("_chosen").isin(again), both).otherwise(one)))
    sound = F.col("_chosen").isin(again) & ~F.col("_copy")
    frame = frame.withColumn(KIND, F.when(~sound, F.col("_chosen")))
    return _written_over(frame, spoils, resend or {}).drop("_u", "_chosen", "_copy")


def _written_over(frame: DataFrame, spoils: Mapping[str, Spoil], resend: Mapping[str, Column]) -> DataFrame:
    """Each kind's values where that kind was planted; `_sent` first, because others are made from it."""
    delay = F.lit(0)
    for name, spoil in spoils.items():
        if spoil.later is not None:
            delay = F.when(F.col(KIND) == name, spoil.later).otherwise(delay)
    frame = frame.withColumn(SENT, F.timestamp_seconds(F.unix_seconds(SENT) + delay.cast("bigint")))
    replaced: dict[str, Column] = {}
    for name, spoil in spoils.items():
        writes = dict(spoil.values)
        if spoil.later is not None and spoil.fate != "duplicate":
            writes.update(resend)
        for column, value in writes.items():
            replaced[column] = F.when(F.col(KIND) == name, value).otherwise(replaced.get(column, F.col(column)))
    return frame.withColumns(replaced)


def ledger(
    planted: Mapping[str, Mapping[str, int]], spoils: Mapping[str, Mapping[str, Spoil]]
) -> list[dict[str, object]]:
    """One line for each source and kind of dirt found: how many rows, and what should become of them.

    Versions that are no dirt (`revision`) supersede the row before them.
    """
    return [
        {
            "source": source,
            "kind": kind,
            "rows": count,
            "fate": spoils[source][kind].fate if kind in spoils[source] else "superseded",
        }
        for source, found in sorted(planted.items())
        for kind, count in found.items()
        if count and kind != "rows"
    ]
