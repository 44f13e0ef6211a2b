"""An insurer's days: what its systems deliver each morning, and what is true."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ruamel.yaml import YAML

from tests.unit.small_conf import FILES, write_small_conf

FIRST = date(2026, 1, 5)  # the Monday of the first night; everything before is in the first files
HISTORY, DAYS, A_DAY = 400, 21, 8
WITHOUT_DATA, CORRECTED, BROKEN = 9, 5, 7  # days after the first one
VERDICTS = """\
source: verdicts
about: What analysts found out about policies they called.
owner: claims@insurer.example
read: {from: verdicts, format: csv, required: false}
columns:
  case_no: {type: text, required: true}
  policy_no: {type: text, required: true}
  result: {type: text, required: true}
  found_at: {type: timestamp, required: true, format: iso, zone: UTC}
  sent_at: {type: timestamp, required: true, format: iso, zone: UTC}
  analyst: {type: text}
key: case_no
latest_by: sent_at
happened_at: found_at
known_at: sent_at
"""
# What differs from the small configuration's use case.
CHANGES = {
    "score": {"each": "claims", "as_of": "known_at", "since": "40d"},
    "split": {"train": "240d", "choose": "30d", "test": "60d", "gap_before_each": "14d"},
    "baseline_rule": "claims_30d >= 3",
    "model": {"search": {"trials": 2}, "only_decreases_with": ["this_claimed", "claimed_vs_usual"]},
    "policy": {
        "alerts_per_day": 3,
        "one_alert_per": "policy_no",
        "value": "this.claimed",
        "queue_opens": "07:00 Europe/Berlin",
        "verdicts": {
            "source": "verdicts",
            "entity": "policy_no",
            "state": "result",
            "states": {"open": "in_work", "fraud": "confirmed", "genuine": "dismissed"},
            "at": "found_at",
            "by": "analyst",
        },
    },
}


@dataclass(frozen=True)
class Claim:
    """`told`: the day the insurer learns what it was, and `late` when that is after labels count as matured."""

    key: str
    policy: str
    happened: datetime
    claimed: int
    fraud: bool
    told: date
    late: bool

    def line(self, reported: datetime, *, closed: bool, claimed: int | None = None) -> str:
        known = f"{'fraud' if self.fraud else 'paid'};{self.told}" if closed else ";"
        return (
            f"{self.key};{self.policy};{self.happened:%d.%m.%Y %H:%M};{reported:%Y-%m-%d %H:%M:%S};"
            f"{claimed or self.claimed}.00;north;{known}"
        )

    @property
    def reported(self) -> datetime:
        return self.happened + timedelta(hours=1)


def claims() -> list[Claim]:
    """Dear claims are often fraud, and every tenth policy is bad; one fraud in eight is found out after three weeks."""
    rng, made = random.Random(11), []
    for day in range(-HISTORY, DAYS):
        for place in range(A_DAY):
            happened = datetime.combine(FIRST + timedelta(days=day - 1), datetime.min.time()) + timedelta(
                hours=8 + place, minutes=rng.randrange(60)
            )
            number = rng.randrange(120) if rng.random() < 0.8 else 10 * rng.randrange(12)
            claimed = rng.randrange(50, 2000)
            odds = -4.2 + 1.5 * (number % 10 == 0) + 4.2 * (claimed > 1500)
            fraud = rng.random() < 1 / (1 + math.exp(-odds))
            late = fraud and rng.random() < 0.125
            told = happened.date() + timedelta(days=21 if late else rng.randint(2, 9))
            made.append(Claim(f"c{len(made):05d}", f"p{number:03d}", happened, claimed, fraud, told, late))
    return made


class Insurer:
    """Writes what arrives; a morning is a number of days after the first one."""

    def __init__(self, root: Path) -> None:
        self.conf, self.landing = write_small_conf(root), root / "lake" / "landing"
        (self.conf / "sources" / "verdicts.yml").write_text(VERDICTS, "utf-8")
        claims_yml = self.conf / "sources" / "claims.yml"  # one of a day's twenty rows may be broken
        claims_yml.write_text(claims_yml.read_text("utf-8").replace("stop_above: 2%", "stop_above: 10%"), "utf-8")
        self.use_case = self.conf / "use_cases" / "claim_fraud.yml"
        self._describe()
        self.claims = {claim.key: claim for claim in claims()}
        policies = [{"policy_no": f"p{i:03d}", "holder": f"Holder {i}", "begins_on": "01.01.2024"} for i in range(120)]
        self._write("policies/policies.jsonl", [json.dumps(row) for row in policies], 0)

    @property
    def corrected(self) -> Claim:
        """The first claim that was new three days before the correction."""
        return next(claim for claim in self.claims.values() if claim.happened.date() == self._yesterday(CORRECTED - 3))

    def deliver(self, day: int) -> None:
        """Yesterday's claims, and those whose outcome became known; on the first day everything before it too."""
        if day == WITHOUT_DATA:
            return
        lines = ["Claim No;policy_no;happened;reported;claimed;region;outcome;closed"]
        since = -HISTORY - 1 if day == 0 else day - 1 - (day == WITHOUT_DATA + 1)
        for claim in self.claims.values():
            happened, until = claim.happened.date(), self._yesterday(day)
            if self._yesterday(since) < happened <= until:
                lines.append(claim.line(claim.reported, closed=claim.told <= until))
            elif self._yesterday(since) < claim.told <= until:
                lines.append(claim.line(datetime.combine(claim.told, claim.reported.time()), closed=True))
        if day == CORRECTED:
            claim = self.corrected
            told = claim.told <= self._yesterday(day)
            lines.append(claim.line(self.morning(day).replace(tzinfo=None), closed=told, claimed=1999))
        if day == BROKEN:
            lines.append("c99999;p001;05.01.2026 10:00;2026-01-11 10:00:00;a lot;north;;")
        self._write(f"claims/claims_{day:02d}.csv", lines, day)

    def answer(self, day: int, answers: Iterable[tuple[str, str, str]]) -> None:
        """Case, policy and result of each call that was made on the day before."""
        told = self.morning(day)
        lines = ["case_no,policy_no,result,found_at,sent_at,analyst"]
        lines += [
            f"{case},{policy},{result},{told - timedelta(hours=16):%Y-%m-%d %H:%M:%S},{told - timedelta(hours=2):%Y-%m-%d %H:%M:%S},ann"
            for case, policy, result in answers
        ]
        self._write(f"verdicts/verdicts_{day:02d}.csv", lines, day)

    def learn_better(self) -> None:
        """A data scientist finds the wrong constraints."""
        self._describe(model={"search": {"trials": 2}, "only_increases_with": ["this_claimed", "claimed_vs_usual"]})

    def _describe(self, **changes: object) -> None:
        yaml = YAML()
        case = yaml.load(FILES["use_cases/claim_fraud.yml"])
        case["label"]["matures_after"] = "14d"
        yaml.dump({**case, **CHANGES, **changes}, self.use_case)

    @staticmethod
    def morning(day: int) -> datetime:
        return datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=day, hours=4)

    @staticmethod
    def _yesterday(day: int) -> date:
        return FIRST + timedelta(days=day - 1)

    def _write(self, name: str, lines: list[str], day: int) -> None:
        """As if it had arrived an hour before the night's run."""
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", "utf-8")
        moment = (self.morning(day) - timedelta(hours=1)).timestamp()
        os.utime(path, (moment, moment))
