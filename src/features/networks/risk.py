"""Risk that comes from the company an account keeps, by the labels known then."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.features.networks.edges import Stage, neighbours, until


def propagated_risk(
    links: DataFrame, labels: DataFrame, stage: Stage, decay: float = 0.5, rounds: int = 3
) -> DataFrame:
    """Personalised PageRank towards labelled accounts (Page et al. 1999; Haveliwala 2002), cut off after some steps.

        r_0 = (1 - decay) s,    r_k(v) = (1 - decay) s(v) + decay · sum over u of  w(v, u) / w(v) · r_{k-1}(u)

    s(v) is 1 if a label of v was known at the moment, else 0. So r is the chance that a walk which begins at v, and at each
    step stops with probability 1 - decay, stops at a labelled account within `rounds` steps. It lies in [0, 1].

    Args:
        links: `as_of, low, high, weight` of `edges.pairs`.
        labels: account, known_from, known_to: the time in which the account was known as bad (known_to null: still).
        stage: writes the risks of each round and reads them back.
        decay: the chance to walk on.
        rounds: steps of the walk.

    Returns:
        as_of, account, propagated_risk; accounts without a link have no row.

    Raises:
        ConfigError: decay outside of [0, 1].
    """
    if not 0 <= decay <= 1:
        raise ConfigError(f"decay is {decay}; it is a chance, between 0 and 1")
    around = stage("risk_neighbours", neighbours(links))
    strength = around.groupBy("as_of", "account").agg(F.sum("weight").alias("strength"))
    periods = labels.select(F.col("account").cast("string").alias("account"), F.unix_micros("known_from").alias("since"),
                            until("known_to").alias("until"))  # fmt: skip
    bad = (
        strength.join(periods, "account")
        .filter("since <= as_of AND as_of < until")
        .select("as_of", "account")
        .distinct()
    )
    marked = strength.join(bad.withColumn("bad", F.lit(1.0)), ["as_of", "account"], "left")
    base = stage("risk_base", marked.select("as_of", "account", "strength",
                                            ((1 - decay) * F.coalesce("bad", F.lit(0.0))).alias("seed")))  # fmt: skip
    risk = base.select("as_of", "account", F.col("seed").alias("propagated_risk"))
    for step in range(1, rounds + 1):
        theirs = risk.withColumnRenamed("account", "peer")
        came = around.join(theirs, ["as_of", "peer"]).groupBy("as_of", "account")
        summed = came.agg(F.sum(F.col("weight") * F.col("propagated_risk")).alias("came"))
        made = F.col("seed") + decay * F.col("came") / F.col("strength")
        walked = base.join(summed, ["as_of", "account"])
        risk = stage(f"risk_{step}", walked.select("as_of", "account", made.alias("propagated_risk")))
    return risk
