"""A feature group that is another one by another entity: names, texts and words follow, and mistakes are said."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.small_conf import write_small_conf

from finlake.config import Config, load, survey
from finlake.config.check import check_config
from finlake.features.check import check_features
from finlake.features.definitions import definition_digest, select

BASE = """\
group: policy_history
about: What this policy claimed before.
owner: base@insurer.example
entity: policy_no
source: claims
features:
  claims_{window}: {count: rows, windows: [30d, 90d], unit: claims}
  claims_last_year: {count: rows, windows: [365d], where: "region = 'claims_30d'"}
  pace_{window}: {ratio: ["claims_{window}", claims_last_year], windows: [30d, 90d]}
  rising: {row: "claims_30d > claims_90d / 3 and this.region <> 'claims_30d'", say: "{value}: {claims_30d} of {claims_90d}"}
"""
DERIVED = """\
group: region_history
about: What this region claimed before.
like: policy_history
named: region_{name}
entity: region
"""


def conf_with(tmp_path: Path, derived: str, base: str = BASE) -> Path:
    conf = write_small_conf(tmp_path)
    (conf / "features" / "policy_history.yml").write_text(base, "utf-8")
    (conf / "features" / "region_history.yml").write_text(derived, "utf-8")
    use_case = conf / "use_cases" / "claim_fraud.yml"
    text = use_case.read_text("utf-8")
    begin = text.index("features:")
    after = text.index("\n", begin) + 1
    use_case.write_text(text[:begin] + "features: [policy_history, region_history]\n" + text[after:], "utf-8")
    return conf


def said(config: Config) -> list[str]:
    return [str(problem) for problem in [*check_config(config), *check_features(config)]]


def test_names_texts_and_words_follow_and_literals_stay(tmp_path: Path) -> None:
    config = load(conf_with(tmp_path, DERIVED))
    group = config.group("region_history")
    assert (group.entity, group.source, group.owner) == ("region", "claims", "base@insurer.example")
    assert list(group.expanded()) == [f"region_{name}" for name in config.group("policy_history").expanded()]
    assert group.features["region_pace_{window}"].ratio == ("region_claims_{window}", "region_claims_last_year")
    rising = group.features["region_rising"]
    assert rising.row == "region_claims_30d > region_claims_90d / 3 and this.region <> 'claims_30d'"
    assert rising.say == "{value}: {region_claims_30d} of {region_claims_90d}"
    assert group.features["region_claims_last_year"].where == "region = 'claims_30d'"
    use_case = config.use_case("claim_fraud")
    order = list(select(use_case, config).definitions)
    assert order.index("region_claims_90d") < order.index("region_rising")


def test_a_change_of_the_other_group_changes_the_digest(tmp_path: Path) -> None:
    conf = conf_with(tmp_path, DERIVED)
    use_case = load(conf).use_case("claim_fraud").model_copy(update={"features": ["region_history"]})
    before = definition_digest(use_case, load(conf))
    path = conf / "features" / "policy_history.yml"
    path.write_text(path.read_text("utf-8").replace("365d", "364d"), "utf-8")
    assert definition_digest(use_case, load(conf)) != before


def test_groups_derived_from_derived_ones_have_more_and_fewer_features(tmp_path: Path) -> None:
    conf = conf_with(tmp_path, DERIVED + 'features: {region_twice: {row: "2 * region_claims_30d"}}\n')
    (conf / "features" / "third.yml").write_text(
        "group: third\nabout: a\nlike: region_history\nnamed: third_{name}\nwithout: [region_twice]\n", "utf-8"
    )
    config = load(conf)
    assert "region_twice" in config.group("region_history").features
    assert "third_region_rising" in config.group("third").features
    assert "third_region_twice" not in config.group("third").features


@pytest.mark.parametrize(
    ("derived", "message"),
    [
        (DERIVED.replace("policy_history", "policy_hist"), "did you mean 'policy_history'"),
        (DERIVED.replace("policy_history", "region_history"), "in a circle"),
        (DERIVED.replace("region_{name}", "region"), "named"),
        (DERIVED.replace("region_{name}", "'{name}'"), "write customer_{name}"),
        (DERIVED.replace("entity: region\n", ""), "differs from the other group in nothing"),
        (DERIVED + "without: [risin]\n", "did you mean 'rising'"),
        (DERIVED + 'without: ["claims_{window}"]\n', "is made from claims_30d; leave it out as well"),
        (DERIVED + "features: {region_rising: {count: rows, windows: [1d]}}\n", "a derived feature's name already"),
        (DERIVED.replace("entity: region", "entity: regoin"), "did you mean 'region'"),
    ],
)
def test_a_mistake_is_said_with_its_file(tmp_path: Path, derived: str, message: str) -> None:
    found = said(survey(conf_with(tmp_path, derived)))
    assert any(message in line and "region_history.yml" in line for line in found), found


def test_what_is_wrong_in_the_other_group_is_said_there(tmp_path: Path) -> None:
    found = said(survey(conf_with(tmp_path, DERIVED, BASE.replace("claims_90d / 3", "claims_9d / 3"))))
    assert any("policy_history.yml" in line and "claims_9d" in line for line in found), found
