"""One new day of 180: `finlake features` for it beside every decision again, in a lake."""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.measure import line, seconds
from benchmarks.payments import configuration, generated, silver
from finlake.lakehouse import open_lake
from finlake.lakehouse.session import open_session
from finlake.pipelines.features import features
from finlake.pipelines.step import Step

BEGIN, DAYS = datetime.fromtimestamp(1_700_000_000, UTC), 180
SILVER = "silver.payments"


def received_by(versions: DataFrame, moment: datetime) -> DataFrame:
    """Silver as it was at a moment: versions known by then, of which later ones have not ended any."""
    told = F.when(F.col("known_to") < F.lit(moment), F.col("known_to"))
    return versions.filter(F.col("known_from") < F.lit(moment)).withColumn("known_to", told)


def main() -> None:
    """Prints the seconds of a day's update, those of a rebuild, and their ratio."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.increment", description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000, help="payments of 180 days")
    given = options.parse_args()
    config, spark = configuration(), open_session()
    with tempfile.TemporaryDirectory() as folder:
        config.target = config.target.model_copy(update={"lake": f"{folder}/lake"})
        lake = open_lake(config, spark)
        received = Path(folder) / "versions"
        silver(generated(spark, given.rows), config.source("payments")).write.parquet(str(received))
        versions = spark.read.parquet(str(received))
        days = [BEGIN + timedelta(days=day) for day in (DAYS - 1, DAYS)]
        line(f"{given.rows:,} payments; the first {DAYS - 1} days")
        lake.overwrite(SILVER, received_by(versions, days[0]), about="Generated payments.", cluster_by=["known_from"])
        features(Step(lake, config, days[0], "features"), "measured")
        news = received_by(versions, days[1]).filter(
            (F.col("known_from") >= F.lit(days[0])) | (F.col("known_to") >= F.lit(days[0]))
        )
        lake.merge(SILVER, news, on=["_row_id"], update=["known_to"])
        step = Step(lake, config, days[1], "features")
        update = seconds(lambda: features(step, "measured"))
        updated = lake.digest("features.measured")
        rebuild = seconds(lambda: features(step, "measured", rebuild=True))
        same = lake.digest("features.measured") == updated
        line(f"one new day of {DAYS}: {update:.1f} s / rebuild {rebuild:.1f} s = {update / rebuild:.3f}")
        line("the digests agree" if same else "THE DIGESTS DIFFER")


if __name__ == "__main__":
    main()
