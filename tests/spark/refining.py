"""Bronze rows written by hand, and refine run on them: what the tests of silver share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from finlake.config import Config, Source, Target
from finlake.lakehouse import Lake
from finlake.pipelines.refine import refine
from finlake.pipelines.step import Step

NOW = datetime(2025, 10, 15, tzinfo=UTC)
ARRIVED = datetime(2025, 10, 14, tzinfo=UTC)
META = (
    "_extra map<string,string>, _corrupt string, _source string, _batch string, _file string, _file_digest string, "
    "_row bigint, _arrived_at timestamp"
)


def payments(**changes: Any) -> Source:
    """A contract like that of a payment processor, with keys changed as a test needs."""
    contract = {
        "source": "payments",
        "about": "Payments.",
        "owner": "team@lender.example",
        "read": {"from": "payments", "format": "csv", "decimal": ","},
        "columns": {
            "number": {"type": "text", "required": True},
            "paid_at": {"type": "timestamp", "format": "dd.MM.yyyy HH:mm:ss", "zone": "Europe/Berlin"},
            "card": {"type": "text", "required": True, "pii": "pan", "as": "card_id"},
            "holder": {"type": "text", "pii": "name"},
            "amount": {"type": "money", "currency": "EUR", "about": "What was paid.", "unit": "EUR"},
            "sent_at": {"type": "timestamp", "format": "iso", "zone": "UTC"},
        },
        "key": "number",
        "latest_by": "sent_at",
        "happened_at": "paid_at",
        "known_at": "sent_at",
    }
    return Source.model_validate({**contract, **changes})


def row(number: str | None, **values: str | None) -> dict[str, str | None]:
    """A good payment, unless a value says otherwise."""
    good: dict[str, str | None] = {
        "number": number, "paid_at": "01.10.2025 12:00:00", "card": "tok_abc", "holder": "Ada Lovelace",
        "amount": "12,50", "sent_at": "2025-10-01 10:01:00",
    }  # fmt: skip
    return {**good, **values}


class House:
    """A lake with bronze rows, and refine to run on it."""

    def __init__(self, lake: Lake, tmp_path: Path, *sources: Source) -> None:
        self.lake, self.root = lake, tmp_path
        self.sources = {source.source: source for source in sources}
        self.said: list[str] = []
        self.step: Step | None = None

    def receive(self, batch: str, rows: Sequence[Mapping[str, Any]], source: str = "payments", day: int = 0) -> None:
        """Appends rows to bronze as one file of one batch; keys that begin with _ are bronze's own columns."""
        columns = list(self.sources[source].columns)
        schema = ", ".join([*(f"`{name}` string" for name in columns), META])
        arrived = ARRIVED.replace(hour=day)
        values = [
            (
                *(item.get(name) for name in columns), item.get("_extra", {}), item.get("_corrupt"), source, batch,
                f"{batch}.csv", f"{batch:0<16}", number, arrived,
            )
            for number, item in enumerate(rows, start=1)
        ]  # fmt: skip
        self.lake.append(f"bronze.{source}", self.lake.spark.createDataFrame(values, schema))

    def refine(self, source: str = "all", now: datetime = NOW, rebuild: bool = False) -> dict[str, Any]:
        config = Config(self.root, Target(target="local"), sources=self.sources)
        self.step = Step(self.lake, config, now, "refine", say=self.said.append)
        return refine(self.step, source, rebuild)

    def silver(self, source: str = "payments") -> list[dict[str, Any]]:
        rows = (
            self.lake.read(f"silver.{source}")
            .orderBy(*self.sources[source].key, "known_from", "_row_id", "_part")
            .collect()
        )
        return [item.asDict() for item in rows]

    def reasons(self, source: str = "payments") -> dict[str, list[str]]:
        """Reasons of open rows of quarantine by the first key column."""
        table = f"quarantine.{source}"
        if not self.lake.exists(table):
            return {}
        rows = self.lake.read(table).where(F.col("_released_at").isNull()).collect()
        return {item["_row_id"]: item["_reasons"] for item in rows}

    def accounts(self) -> dict[str, tuple[int, ...]]:
        """Batch -> received, silver, superseded, duplicate, quarantined. Fails if one does not add up."""
        rows = self.lake.read("ops.batches").collect()
        assert all(item["adds_up"] for item in rows)
        names = ("received", "silver", "superseded", "duplicate", "quarantined")
        return {item["batch"]: tuple(item[name] for name in names) for item in rows}
