"""Networks in conf/: a source that features and marts name, moments, and every mistake at its line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from small_conf import write_small_conf

from finlake.cli.check import all_problems
from finlake.config import Network, survey
from finlake.features.definitions import definition_digest
from finlake.features.networks.definition import moments

NETWORK = """\
network: regions
about: Policies and the regions they claim in.
account: [policy_no]
edges:
  source: claims
  payer: policy_no
  payee: "CASE WHEN region = '' THEN 'nowhere' ELSE region END"
  amount: claimed
  where: "region is not null"
known_bad: {source: claims, account: policy_no, when: "outcome = 'fraud'"}
every: 7d
delay: 12h
zone: Europe/Berlin
"""
GROUP = """\
group: region_network
about: What the network knew.
entity: policy_no
source: regions
features:
  fan: {lookup: fan_out_30d}
  risk: {lookup: propagated_risk}
  age: {time_since: last row, unit: hours}
"""
MART = """\
/*
mart: networks
about: Snapshots.
columns: {policy_no: policy, fan_out_30d: regions}
*/
SELECT policy_no, fan_out_30d FROM silver.regions
"""


def written(tmp_path: Path, network: str = NETWORK, group: str = GROUP, mart: str = MART) -> Path:
    conf = write_small_conf(tmp_path)
    (conf / "networks").mkdir()
    for place, text in (
        ("networks/regions.yml", network),
        ("features/region_network.yml", group),
        ("marts/networks.sql", mart),
    ):
        (conf / place).write_text(text, "utf-8")
    use_case = conf / "use_cases" / "claim_fraud.yml"
    use_case.write_text(
        use_case.read_text("utf-8").replace("[policy_history,", "[policy_history, region_network,"), "utf-8"
    )
    return conf


def test_features_and_marts_name_a_network_like_a_source(tmp_path: Path) -> None:
    config = survey(written(tmp_path))
    assert all_problems(config, None) == []
    columns = config.source("regions").silver_columns
    assert columns["sum_in_7d"].currency == "EUR"
    assert {
        "regions_id",
        "policy_no",
        "as_of",
        "fan_in_30d",
        "cycles_5_7d",
        "component",
        "propagated_risk",
    } <= columns.keys()
    assert "regions" not in config.sources


def test_what_a_network_measures_is_part_of_the_definitions_and_its_words_are_not(tmp_path: Path) -> None:
    texts = (NETWORK, NETWORK.replace("about: Policies", "about: The policies"), NETWORK.replace("12h", "13h"))
    digests = []
    for number, text in enumerate(texts):
        config = survey(written(tmp_path / str(number), text))
        digests.append(definition_digest(config.use_case("claim_fraud"), config))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("  source: claims\n", "  source: claim\n", 5, "no source 'claim'; did you mean 'claims'?"),
        ("payer: policy_no", "payer: policy_nr", 6, "policy_nr"),
        ("payer: policy_no", "payer: length(policy_no)", 6, "accounts are texts or columns"),
        ("amount: claimed", "amount: clamed", 8, "has no column 'clamed'; did you mean 'claimed'"),
        ("amount: claimed", "amount: region", 8, "'region' is text, and amounts are money"),
        ("region is not null", "regon is not null", 9, "regon"),
        ("source: claims, account", "source: clams, account", 10, "no source 'clams'; did you mean 'claims'?"),
        ("account: policy_no,", "account: policy,", 10, "has no column 'policy'"),
        ("outcome = 'fraud'", "outcome + 1", 10, "outcome"),
        ("every: 7d", "every: 36h", 11, "'36h' is not a number of whole days"),
        ("delay: 12h", "delay: soon", 12, "not a length of time"),
        ("Europe/Berlin", "Europe/Berln", 13, "no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'"),
        ("account: [policy_no]", "account: [as_of]", None, "as_of is already a column of the snapshots"),
        ("known_bad: {", "measures: [risk]\n#", None, "risk needs `known_bad`"),
        ("zone:", "windows: [7d, 1w]\nzone:", None, "7d, 1w are not all different"),
        ("zone:", "measures: [degree]\nzone:", None, "degrees"),
        ("network: regions", "network: policies", 1, "must be called like its file"),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, before: str, after: str, line: int | None, said: str) -> None:
    assert before in NETWORK
    config = survey(written(tmp_path, NETWORK.replace(before, after)))
    found = [problem for problem in all_problems(config, None) if problem.file.name == "regions.yml"]
    assert any(said in problem.message for problem in found), found
    assert line is None or line in {problem.line for problem in found}


def test_a_forbidden_column_is_found_where_it_makes_edges(tmp_path: Path) -> None:
    conf = written(tmp_path)
    use_case = conf / "use_cases" / "claim_fraud.yml"
    use_case.write_text(use_case.read_text("utf-8").replace("never: [outcome,", "never: [region, outcome,"), "utf-8")
    found = [problem.message for problem in all_problems(survey(conf), None)]
    assert len(found) == 1
    assert "region: the use case says it may never reach a model" in found[0]
    assert "fan" in found[0]


def test_a_mistake_in_a_network_is_not_said_of_its_use_case_too(tmp_path: Path) -> None:
    config = survey(written(tmp_path, NETWORK.replace("region is not null", "regon is not null")))
    assert [problem.file.name for problem in all_problems(config, None)] == ["regions.yml"]


def test_a_column_that_is_not_measured_is_unknown(tmp_path: Path) -> None:
    network = NETWORK.replace("every:", "measures: [degrees]\nevery:")
    problems = [str(problem) for problem in all_problems(survey(written(tmp_path, network)), None)]
    assert len(problems) == 1
    assert "propagated_risk" in problems[0]


def test_a_source_and_a_network_cannot_have_one_name(tmp_path: Path) -> None:
    conf = written(tmp_path)
    network = NETWORK.replace("network: regions", "network: policies")
    (conf / "networks" / "policies.yml").write_text(network, "utf-8")
    found = [problem.message for problem in all_problems(survey(conf), None)]
    assert "network: there is a source 'policies' too, and both would be silver.policies" in found


def test_moments_are_mondays_at_local_midnight_once_they_can_be_read() -> None:
    network = Network.model_validate(
        {
            "network": "n", "about": "a", "account": "x", "every": "7d", "delay": "12h", "zone": "Europe/Berlin",
            "edges": {"source": "s", "payer": "p", "payee": "q", "amount": "a"},
        }
    )  # fmt: skip
    after, last = datetime(2025, 3, 17, tzinfo=UTC), datetime(2025, 3, 30, 22, tzinfo=UTC)
    found = moments(network, after, last + timedelta(hours=12))
    assert found == [datetime(2025, 3, 23, 23, tzinfo=UTC), last]  # clocks went forward on the 30th
    assert moments(network, after, last + timedelta(hours=12, microseconds=-1)) == found[:1]
    assert moments(network, last, last + timedelta(days=6)) == []


def test_a_text_that_a_column_never_holds_is_said(tmp_path: Path) -> None:
    text = NETWORK.replace("region is not null", "region = 'nrth'").replace("outcome = 'fraud'", "region = 'S'")
    conf = written(tmp_path, text)
    claims = conf / "sources" / "claims.yml"
    closed = "region: {type: text, codes: {N: north, S: south}}"
    claims.write_text(claims.read_text("utf-8").replace("region: {type: text}", closed), "utf-8")
    said = [problem.message for problem in all_problems(survey(conf), None) if problem.file.name == "regions.yml"]
    assert said == [
        "edges.payee: region is never '' in claims; there are: north, south",
        "edges.where: region is never 'nrth' in claims; did you mean 'north'?",
        "known_bad.when: region is never 'S' in claims; 'S' is 'south' from silver on",
    ]
