"""Groups of accounts that deal more with each other than with the rest."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.features.networks.edges import Stage, neighbours


def communities(links: DataFrame, stage: Stage, rounds: int = 8) -> DataFrame:
    """Label propagation (Raghavan, Albert and Kumara 2007), weighted, for all moments at once.

    Each account begins with its own label. In a round it takes the label with the greatest weight among its neighbours, of
    equal ones the smallest. All at once, two accounts would exchange their labels for ever, so in each round only half of
    the accounts take part, drawn by a hash of account and round. The outcome depends on the links alone.

    Args:
        links: `as_of, low, high, weight` of `edges.pairs`; weights are whole numbers.
        stage: writes the labels of each round and reads them back.
        rounds: how many; a fixed number.

    Returns:
        as_of, account, community (the label: an account), community_size (accounts).
    """
    around = stage("communities_neighbours", neighbours(links))
    labels = stage("communities_0", around.select("as_of", "account", F.col("account").alias("community")).distinct())
    for step in range(1, rounds + 1):
        drawn = F.substring(F.sha2(F.concat_ws("|", F.lit(str(step)), "account"), 256), 1, 1) < "8"
        theirs = labels.select("as_of", F.col("account").alias("peer"), "community")
        votes = around.filter(drawn).join(theirs, ["as_of", "peer"]).groupBy("as_of", "account", "community")
        ranked = votes.agg((-F.sum("weight")).alias("against"))
        chosen = ranked.groupBy("as_of", "account").agg(F.min(F.struct("against", "community")).alias("best"))
        taken = labels.join(chosen, ["as_of", "account"], "left")
        made = F.coalesce(F.col("best")["community"], F.col("community")).alias("community")
        labels = stage(f"communities_{step}", taken.select("as_of", "account", made))
    sizes = labels.groupBy("as_of", "community").agg(F.count("*").alias("community_size"))
    return labels.join(sizes, ["as_of", "community"]).select("as_of", "account", "community", "community_size")


def modularity(links: DataFrame, groups: DataFrame) -> DataFrame:
    """How much more weight lies inside communities than if links were drawn at random (Newman 2004), for each moment.

    Q = sum over communities of  inside / W - (strength / 2W)²,  with W the weight of all links.

    Args:
        links: `as_of, low, high, weight`.
        groups: `as_of, account, community`.

    Returns:
        as_of, communities (how many), modularity in [-0.5, 1); no row where there is no link.
    """
    of = groups.select("as_of", "account", "community")
    named = neighbours(links).join(of, ["as_of", "account"]).join(
        of.select("as_of", F.col("account").alias("peer"), F.col("community").alias("other")), ["as_of", "peer"]
    )  # fmt: skip
    inside = F.sum(F.when(F.col("community") == F.col("other"), F.col("weight")).otherwise(0))
    each = named.groupBy("as_of", "community").agg(inside.alias("inside"), F.sum("weight").alias("strength"))
    whole = F.sum("strength")  # both directions, so twice W
    return each.groupBy("as_of").agg(
        F.count("*").alias("communities"),
        (F.sum("inside") / whole - F.sum(F.pow(F.col("strength").cast("double"), F.lit(2.0))) / F.pow(whole, F.lit(2.0)))
        .alias("modularity"),
    )  # fmt: skip
