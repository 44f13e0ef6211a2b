"""One decision online, without the model: read the windows, compute every feature, record the answer, update the windows.

`python -m benchmarks.online [--rows 60] [--decisions 3000]`
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.postgres import no_postgres, server

from benchmarks.measure import line
from finlake.config import load
from finlake.serving import OnlineFeatures, OnlineStore, Publication
from finlake.serving.postgres import PostgresStore
from finlake.serving.row import micros
from finlake.serving.sqlite import SqliteStore

ROOT = Path(__file__).parents[1]
END = datetime(2025, 10, 1, tzinfo=UTC)
CARDS = TERMINALS = 200


def payment(draw: random.Random, number: int, at: datetime) -> dict[str, object]:
    return {
        "payment_id": f"p{number}", "card_id": f"c{draw.randrange(CARDS)}", "terminal_id": f"t{draw.randrange(TERMINALS)}",
        "paid_at": at, "amount": f"{draw.lognormvariate(3, 1):.2f}", "country": draw.choice(["DE", "FR"]),
        "entry_mode": draw.choice(["chip", "ecommerce"]), "merchant_category": "cash", "distance_km": draw.random() * 50,
    }  # fmt: skip


def run(store: OnlineStore, rows: int, decisions: int) -> list[float]:
    """Seconds of each decision, after every card has `rows` payments of the last 30 days."""
    config = load(ROOT / "conf")
    features = OnlineFeatures(store, config.use_case("card_fraud"), config)
    store.create(features.tables)
    draw = random.Random(7)
    with store.transaction():
        for number in range(rows * CARDS):
            at = END - timedelta(days=30) * draw.random()
            features.tell("card_transactions", payment(draw, number, at), at)
            if number % 200 == 0:
                report = {
                    "report_id": f"r{number}",
                    "payment_id": f"p{number}",
                    "verdict": "confirmed",
                    "reported_at": at,
                }
                features.tell("fraud_reports", report, at + timedelta(days=1))
    store.publish(Publication("card_fraud", features.definition, micros(END), micros(END)))
    taken = []
    for number in range(decisions):
        row = payment(draw, rows * CARDS + number, END + timedelta(seconds=number))
        begun = time.perf_counter()
        features.decide(row)
        taken.append(time.perf_counter() - begun)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=60, help="payments of each card in the last 30 days")
    parser.add_argument("--decisions", type=int, default=3000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stores: dict[str, OnlineStore] = {"SQLite": SqliteStore(Path(folder) / "online.db")}
        if not no_postgres():
            stores["PostgreSQL"] = PostgresStore(stack.enter_context(server()), "finlake_measured")
        for name, store in stores.items():
            with store:
                taken = sorted(run(store, given.rows, given.decisions))
                p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
                line(
                    f"{name}: one decision of {given.rows} rows a card, p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms"
                )
                if isinstance(store, PostgresStore):
                    store.drop(store.tables())


if __name__ == "__main__":
    main()
