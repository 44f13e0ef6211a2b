"""A small, whole configuration that tests copy and then break in one place."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "targets/local.yml": """\
target: local
lake: lake
""",
    "sources/policies.yml": """\
source: policies
about: One row for each policy.
owner: data@insurer.example
read: {from: policies, format: jsonl}
columns:
  policy_no: {type: text, required: true}
  holder: {type: text, pii: name}
  begins_on: {type: date, format: dd.MM.yyyy}
key: policy_no
happened_at: begins_on
known_at: {happened_at plus: 1 day}
""",
    "sources/claims.yml": """\
source: claims
about: One row for each claim.
owner: data@insurer.example
read:
  from: claims
  format: csv
  delimiter: ";"
  arrives: {every: day, by: "06:00 Europe/Berlin", rows: [1, 500]}
columns:
  Claim No: {type: text, required: true, as: claim_no}
  policy_no: {type: text, required: true}
  happened: {type: timestamp, format: dd.MM.yyyy HH:mm, zone: Europe/Berlin}
  reported: {type: timestamp, format: iso}
  claimed: {type: money, currency: EUR}
  region: {type: text}
  outcome: {type: text}
  closed: {type: date, format: iso}
key: claim_no
latest_by: reported
happened_at: happened
known_at: reported
known_later:
  - columns: [outcome, closed]
    known_at: closed
expect:
  - rule: claims are not negative
    expect_column_values_to_be_between: {column: claimed, min_value: 0}
  - rule: the policy exists
    expect_reference: {column: policy_no, in: policies}
    otherwise: warn
stop_above: 2%
""",
    "features/policy_history.yml": """\
group: policy_history
about: What this policy claimed before.
entity: policy_no
source: claims
features:
  claims_{window}:
    count: rows
    windows: [30d, 365d]
  claimed_mean_365d:
    mean: claimed
    windows: [365d]
  claimed_vs_usual:
    ratio: [this.claimed, claimed_mean_365d]
""",
    "use_cases/claim_fraud.yml": """\
use_case: claim_fraud
purpose: Choose the claims to look at first.
owner: claims@insurer.example
approver: risk@insurer.example
materiality: low
zone: Europe/Berlin
score: {each: claims, as_of: known_at}
label:
  name: fraud
  positive: "outcome = 'fraud'"
  from: {source: claims}
  matures_after: 90d
features: [policy_history, this.claimed]
never: [outcome, closed]
split: {train: 300d, choose: 30d, test: 60d, gap_before_each: 90d}
baseline_rule: "claims_30d >= 3 or this.claimed > 9000"
model:
  only_increases_with: [claims_30d]
policy: {alerts_per_day: 5, one_alert_per: policy_no, value: this.claimed, queue_opens: "07:00 Europe/Berlin"}
""",
    "marts/claims_by_day.sql": """\
/*
mart: claims_by_day
about: Claims and what they cost, by day and region.
columns:
  day: day of the claim
  region: where
  claims: how many
  claimed: how much
*/
WITH known AS (
  SELECT c.*, p.begins_on
  FROM silver.claims_current AS c
  LEFT JOIN silver.policies_current AS p ON p.policy_no = c.policy_no
)
SELECT
  CAST(happened AS DATE) AS day,
  region,
  COUNT(*) AS claims,
  SUM(known.claimed) AS claimed
FROM known
GROUP BY ALL
""",
    "marts/best_days.sql": """\
/*
mart: best_days
about: The days with the most claims.
columns: {day: day of the claim, claims: how many}
*/
SELECT day, SUM(claims) AS claims
FROM gold.claims_by_day
GROUP BY day
""",
}


def write_small_conf(root: Path) -> Path:
    """The configuration above as files under `root`/conf."""
    for name, text in FILES.items():
        path = root / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root / "conf"
