"""A stranger's CSV goes from an empty folder to explained scores with the commands of docs/your-own-table.md alone."""

from __future__ import annotations

import csv
import json
import math
import os
import random
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

DOC = Path(__file__).parents[2] / "docs" / "your-own-table.md"
END = datetime(2025, 2, 5)
CLAIM = {
    "claim_id": "C999999",
    "policy_number": "P0007",
    "claimed_amount": 1234.5,
    "region": "North",
    "claim_type": "theft",
}


def write_claims(path: Path, rows: int = 3000) -> None:
    """Insurance claims: some policies are bad, theft and high sums are suspicious, the verdict comes weeks later."""
    rng = random.Random(3)
    policies = [(f"P{i:04d}", rng.random() < 0.08, rng.choice(["North", "South", "West"])) for i in range(400)]
    when = datetime(2024, 1, 2)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "Claim ID",
                "Policy Number",
                "Incident Date",
                "Reported At",
                "Claimed Amount",
                "Region",
                "Claim Type",
                "Closed On",
                "Fraudulent",
            ]
        )
        for number in range(rows):
            when += timedelta(seconds=rng.expovariate(rows / (86400 * 395)))
            policy, bad, region = rng.choice(policies)
            kind = rng.choices(["collision", "theft", "glass", "water"], [4, 1, 2, 2])[0]
            money = rng.lognormvariate(7, 0.7)
            odds = -3.6 + 2.4 * bad + 1.4 * (kind == "theft") + 0.8 * (math.log(money) - 7)
            fraud = rng.random() < 1 / (1 + math.exp(-odds))
            closed = when + timedelta(days=rng.randint(5, 40))
            known = closed < END
            reported = when + timedelta(hours=rng.expovariate(1 / 20))
            writer.writerow(
                [f"C{number:06d}", policy, f"{when:%Y-%m-%d %H:%M}", f"{reported:%Y-%m-%d %H:%M}", f"{money * (1.6 if fraud else 1):.2f}",
                 region, kind, f"{closed:%Y-%m-%d}" if known else "", ("Y" if fraud else "N") if known else ""]
            )  # fmt: skip


def commands() -> list[list[str]]:
    """The lines of sections 1 to 3 that begin with finlake."""
    text = DOC.read_text("utf-8").split("## 4.")[0]
    return [line.split()[1:] for line in re.findall(r"^    (finlake .*)$", text, re.MULTILINE)]


def test_the_page_alone_leads_from_a_csv_to_explained_scores(tmp_path: Path) -> None:
    folder = tmp_path / "Größe & Co's #1, 50% (neu)"  # a folder as people name theirs
    folder.mkdir()
    write_claims(folder / "claims.csv")
    claim = {**CLAIM, "incident_date": datetime.now(UTC).isoformat()}
    (folder / "claim.json").write_text(json.dumps(claim), "utf-8")
    script = f"""
import json, sys
from finlake.cli.main import execute
for command in {commands()!r}:
    values = execute(command)
    assert not values.get("exit_code"), (command, values)
execute(["features", "answer", "claim.json", "--use-case", "claims_fraudulent"])
execute(["sql", "select entity, probability, decision, reasons from scores.claims_fraudulent order by probability desc limit 20", "--format", "json"])
"""
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1500,  # only a guard
        env={**os.environ},
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert "its labels count as known until then" in run.stdout + run.stderr
    answer = json.loads(run.stdout[run.stdout.index("{\n") : run.stdout.index("[\n")])
    assert answer["decision_key"] == "C999999"
    assert answer["features"]["this_claimed_amount"] == 1234.5
    assert answer["features"]["days_since_last"] > 600
    scores = json.loads(run.stdout[run.stdout.index("[\n") :])
    assert len(scores) == 20
    assert scores[0]["probability"] > scores[-1]["probability"] > 0.05
    said = " ".join(reason["text"] for row in scores for reason in row["reasons"])
    assert "theft" in said
    report = folder / "lake" / "report"
    assert "adds up" in (report / "index.html").read_text("utf-8")
    assert "claims_fraudulent v1" in (report / "models" / "claims_fraudulent.html").read_text("utf-8")
    assert "Highest chances" in (report / "queue" / "claims_fraudulent.html").read_text("utf-8")


def test_the_page_names_the_commands_in_order() -> None:
    assert [command[0] for command in commands()] == [
        "draft", "check", "ingest", "refine", "features", "train", "promote", "score", "queue", "publish", "report",
        "online", "stream",
    ]  # fmt: skip
