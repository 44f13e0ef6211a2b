"""Random draws that depend on nothing but a seed, a stream name and row ids.

A draw is a hash, so it is the same at any number of partitions, in any order, on any cluster. Two draws are
independent when their stream names or ids differ.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

Number = Column | float | int
_STEPS = 1000


@dataclass(frozen=True)
class Draws:
    """Named streams of random columns. Ids must not be null: the hash skips nulls."""

    seed: int

    def hash(self, stream: str, *ids: Column) -> Column:
        """A 64-bit integer, evenly spread."""
        name = hashlib.blake2b(f"{self.seed}/{stream}".encode(), digest_size=8).digest()
        return F.xxhash64(F.lit(int.from_bytes(name, "big", signed=True)), *[i.cast("bigint") for i in ids])

    def uniform(self, stream: str, *ids: Column) -> Column:
        """In (0, 1), both ends excluded, so that logarithms are safe."""
        return (F.shiftrightunsigned(self.hash(stream, *ids), 11).cast("double") + 0.5) * F.lit(2.0**-53)

    def below(self, stream: str, count: Number, *ids: Column) -> Column:
        """A whole number from 0 to count - 1."""
        return F.floor(self.uniform(stream, *ids) * count).cast("bigint")

    def chance(self, stream: str, probability: Number, *ids: Column) -> Column:
        """True with this probability."""
        return self.uniform(stream, *ids) < probability

    def normal(self, stream: str, *ids: Column) -> Column:
        """Mean 0, deviation 1 (Box-Muller)."""
        radius = F.sqrt(F.lit(-2.0) * F.log(self.uniform(stream + "/r", *ids)))
        return radius * F.cos(F.lit(2 * math.pi) * self.uniform(stream + "/a", *ids))

    def poisson(self, stream: str, mean: Number, *ids: Column, most: int = 12) -> Column:
        """A count with this mean, by inverting the distribution; at most `most`."""
        if not isinstance(mean, Column):
            weights = [mean**k / math.factorial(k) for k in range(most + 1)]
            return choose(self.uniform(stream, *ids), list(range(most + 1)), weights)
        needed = self.uniform(stream, *ids) * F.exp(mean)
        count = F.lit(0)
        for k in range(1, most + 1):
            count = count + (needed > _partial_exp(mean, k - 1)).cast("int")
        return count

    def pick(self, stream: str, weights: Mapping[str, float], *ids: Column) -> Column:
        """One of the names, with probability in proportion to its weight."""
        return choose(self.uniform(stream, *ids), list(weights), list(weights.values()))


def choose(uniform: Column, values: Sequence[str | float], weights: Sequence[float]) -> Column:
    """One of the values, in proportion to its weight to the nearest 1/1000: a constant table is read at `uniform`."""
    table: list[str | float] = []
    upto, total = 0.0, sum(weights)
    for value, weight in zip(values, weights, strict=True):
        upto += weight
        table += [value] * (round(_STEPS * upto / total) - len(table))
    return lookup(F.floor(uniform * _STEPS), table)


def lookup(index: Column, values: Sequence[str | float]) -> Column:
    """`values[index]`, for a constant table."""
    return F.get(F.expr(f"array({', '.join(_literal(v) for v in values)})"), index.cast("int"))


def rounded(value: Column, digits: int = 2) -> Column:
    """Half up, several times faster than `round`, which goes by way of decimals."""
    return F.floor(value * 10**digits + 0.5) / 10**digits


def pinned(column: Column) -> Column:
    """The same value, worked out once: without this the optimiser copies a long expression into each of its uses.

    Spark does not move or copy what is marked as depending on the partition; the added term is always zero.
    """
    return column + F.spark_partition_id() * 0


def _partial_exp(x: Column, terms: int) -> Column:
    """1 + x + x²/2! + … + x^terms/terms!, without powers."""
    total = F.lit(1.0)
    for k in range(terms, 0, -1):
        total = 1 + x / k * total
    return total


def _literal(value: str | float) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    return f"{value!r}D" if isinstance(value, float) else str(value)
