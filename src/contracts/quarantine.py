"""Rows that may not enter silver, with the reasons, until a changed contract lets them in."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import Source
from finlake.contracts.privacy import masked_raw

HELD = "the batch was held back"
UPDATED = ("_reasons", "_rules", "_contract", "_released_at")


def quarantine_rows(judged: DataFrame, source: Source, contract: str, now: datetime) -> DataFrame:
    """Quarantine's form of judged rows: received values masked, reasons, rules and the contract that judged them."""
    return judged.select(
        *masked_raw(source), "_reasons", "_rules", "_row_id", "_batch", "_file", "_row",
        F.lit(contract).alias("_contract"), F.lit(now).alias("_quarantined_at"),
        F.lit(None).cast("timestamp").alias("_released_at"),
    )  # fmt: skip


def with_held(judged: DataFrame, held: dict[str, str]) -> DataFrame:
    """Gives every row of a held batch a reason, so that none of them enters silver. `held`: batch -> why."""
    if not held:
        return judged
    why = F.create_map(*[F.lit(text) for pair in held.items() for text in pair])[F.col("_batch")]
    good = why.isNotNull() & (F.size("_reasons") == 0)
    return judged.withColumns(
        {
            "_reasons": F.when(good, F.array(F.concat(F.lit(f"{HELD}: "), why))).otherwise(F.col("_reasons")),
            "_rules": F.when(good, F.array(F.lit(HELD))).otherwise(F.col("_rules")),
        }
    )


def conflicting(judged: DataFrame, source: Source) -> DataFrame:
    """The same rows with the reason of a conflict: an earlier row has their key and sequence, but other values."""
    together = " and ".join(dict.fromkeys([*source.key, source.latest_by or source.known_at.column]))
    reason = F.array(F.lit(f"same {together} as an earlier row, but other values"))
    return judged.withColumns({"_reasons": reason, "_rules": F.array(F.lit(f"{together} name one row"))})


def waiting(contract: str, retried: list[str]) -> Column:
    """Open rows that deserve another look: judged by another contract, or kept out by a rule of `retried`."""
    changed = F.col("_contract") != contract
    again = F.arrays_overlap("_rules", F.array(*[F.lit(rule) for rule in retried])) if retried else F.lit(False)
    return F.col("_released_at").isNull() & (changed | again)
