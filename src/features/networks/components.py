"""Groups of accounts that payments connect, directly or over others."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.errors import FinlakeError
from finlake.features.networks.edges import Stage, neighbours


def components(links: DataFrame, stage: Stage, rounds: int = 40) -> DataFrame:
    """Connected components, by large-star and small-star in turn (Kiveris et al., "Connected Components in MapReduce and
    Beyond", 2014), for all moments at once.

    Only the number of links and one checksum of them come back to the driver, once a round; the work ends when a round
    changes nothing. The authors expect the rounds to grow with the logarithm of the number of accounts.

    Args:
        links: `as_of, low, high` of `edges.pairs`.
        stage: writes the links of each half round and reads them back; else plans grow without bound.
        rounds: more than these are an error.

    Returns:
        as_of, account, component (its smallest account, in the order of texts), component_size (accounts).

    Raises:
        FinlakeError: it took more rounds.
    """
    stars = stage("components_0", links.select("as_of", F.col("high").alias("node"), F.col("low").alias("to")))
    mark = _mark(stars)
    for step in range(1, rounds + 1):
        large = stage(f"components_{step}_large", _large_star(stars))
        stars = stage(f"components_{step}_small", _small_star(large))
        before, mark = mark, _mark(stars)
        if mark == before:
            break
    else:
        raise FinlakeError(f"components were still changing after {rounds} rounds; allow more with `rounds`")
    roots = stars.select("as_of", F.col("to").alias("account"), F.col("to").alias("component")).distinct()
    members = stars.select("as_of", F.col("node").alias("account"), F.col("to").alias("component")).unionByName(roots)
    sizes = members.groupBy("as_of", "component").agg(F.count("*").alias("component_size"))
    return stage("components", members.join(sizes, ["as_of", "component"])).select(
        "as_of", "account", "component", "component_size"
    )


def _large_star(stars: DataFrame) -> DataFrame:
    """Each node's larger neighbours are linked to its smallest one, or to itself."""
    both = neighbours(
        stars.select("as_of", F.col("to").alias("low"), F.col("node").alias("high"), F.lit(1).alias("weight"))
    )
    lowest = both.groupBy("as_of", "account").agg(F.min("peer").alias("lowest"))
    larger = both.filter("peer > account").join(lowest, ["as_of", "account"])
    return larger.select("as_of", F.col("peer").alias("node"), F.least("account", "lowest").alias("to")).distinct()


def _small_star(stars: DataFrame) -> DataFrame:
    """Each node and its smaller neighbours are linked to the smallest of them."""
    lowest = stars.groupBy("as_of", "node").agg(F.min("to").alias("lowest"))
    moved = (
        stars.join(lowest, ["as_of", "node"])
        .filter("to <> lowest")
        .select("as_of", F.col("to").alias("node"), "lowest")
    )
    return lowest.unionByName(moved).withColumnRenamed("lowest", "to").distinct()


def _mark(stars: DataFrame) -> tuple[int, int]:
    row = stars.agg(F.count("*"), F.bit_xor(F.xxhash64("as_of", "node", "to"))).first()
    return (row[0], row[1] or 0) if row else (0, 0)
