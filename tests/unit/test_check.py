"""Every kind of mistake people make in conf/ is found, at its line, with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_conf import FILES, write_small_conf

from finlake.config import survey
from finlake.config.check import check_config

CLAIMS, POLICIES, GROUP = "sources/claims.yml", "sources/policies.yml", "features/policy_history.yml"
ONLY = "  only_increases_with: [claims_30d]\n"
USE, DAYS, BEST = "use_cases/claim_fraud.yml", "marts/claims_by_day.sql", "marts/best_days.sql"

# file, what stands there, what is written instead (the problem is at its last line), words of the message
MISTAKES = [
    # the file itself
    (CLAIMS, "key: claim_no\n", "key: claim_no\nkey: claim_no\n", ["duplicate key", "twice"]),
    (CLAIMS, "  format: csv\n", "   format: csv\n", ["not YAML"]),
    (
        CLAIMS,
        "owner: data@insurer.example\n",
        "owner: data@insurer.example\nonwer: me\n",
        ["unknown key 'onwer'", "'owner'"],
    ),
    (CLAIMS, '  delimiter: ";"\n', '  delimeter: ";"\n', ["unknown key 'delimeter'", "'delimiter'"]),
    (CLAIMS, "source: claims\n", "source: claim\n", ["must be called like its file", "'claims'"]),
    # names and types of columns
    (
        CLAIMS,
        "{type: text}\n  outcome",
        "{type: txt}\n  outcome",
        ["columns.region.type", "'txt'; did you mean 'text'?"],
    ),
    (CLAIMS, "  region: {type: text}\n", "  region: {type: text, as: claimed}\n", ["both called 'claimed'"]),
    (CLAIMS, "as: claim_no}", "as: event_ts}", ["'event_ts'", "finlake uses itself"]),
    (CLAIMS, "  region: {type: text}\n", "  Region of: {type: text}\n", ["'Region of' needs `as`"]),
    (CLAIMS, "{type: money, currency: EUR}", "{type: money}", ["needs `currency`"]),
    (CLAIMS, "{type: money, currency: EUR}", "{type: money, currency: regon}", ["currency", "'regon'", "'region'"]),
    (CLAIMS, "{type: text}\n  outcome", "{type: text, currency: EUR}\n  outcome", ["only money has a currency"]),
    (CLAIMS, "zone: Europe/Berlin}", "zone: Europe/Berln}", ["no time zone 'Europe/Berln'", "'Europe/Berlin'"]),
    (CLAIMS, "format: dd.MM.yyyy HH:mm,", "format: dd.mm.yyyy,", ["mm are minutes"]),
    (CLAIMS, "format: dd.MM.yyyy HH:mm,", "format: '%d.%m.%Y',", ["for example dd.MM.yyyy"]),
    (CLAIMS, "format: dd.MM.yyyy HH:mm,", "format: DD.MM.YYYY,", ["write yyyy"]),
    (CLAIMS, "format: dd.MM.yyyy HH:mm,", "format: MM.yyyy,", ["lacks the year or the day"]),
    (
        CLAIMS,
        "  closed: {type: date, format: iso}\nkey: claim_no\nlatest_by: reported\nhappened_at: happened\nknown_at: reported\n"
        "known_later:\n  - columns: [outcome, closed]\n    known_at: closed\n",
        "  closed: {type: date, format: MMM-yyyy}\nkey: claim_no\nlatest_by: reported\nhappened_at: happened\n"
        "known_at: reported\nknown_later:\n  - columns: [outcome, closed]\n    known_at: closed\n",
        ["'closed' is a month and read as its first day", "write {closed plus: 31 days}"],
    ),
    (
        CLAIMS,
        "  region: {type: text}\n",
        "  region: {type: text, format: iso}\n",
        ["only dates and timestamps have a format"],
    ),
    # key and clocks
    (CLAIMS, "key: claim_no\n", "key: claim_nr\n", ["no column 'claim_nr'", "'claim_no'"]),
    (CLAIMS, "key: claim_no\n", "key: Claim No\n", ["is called 'claim_no' from silver on"]),
    (CLAIMS, "latest_by: reported\n", "latest_by: report\n", ["latest_by", "'reported'"]),
    (CLAIMS, "happened_at: happened\n", "happened_at: region\n", ["'region' is text"]),
    (CLAIMS, "known_at: reported\nknown", "known_at: reportd\nknown", ["known_at", "'reported'"]),
    (CLAIMS, "columns: [outcome, closed]", "columns: [outcom, closed]", ["known_later", "'outcome'"]),
    (CLAIMS, "    known_at: closed\n", "    known_at: close\n", ["known_later.known_at", "'closed'"]),
    (
        CLAIMS,
        "    known_at: closed\n",
        "    known_at: {happened_at plus: a while}\n",
        ["not a length of time", "'a while'"],
    ),
    (CLAIMS, 'by: "06:00 Europe/Berlin"', 'by: "6 am"', ["06:00 Europe/Berlin"]),
    # expectations
    (CLAIMS, "{column: claimed, min_value: 0}", "{column: claimd, min_value: 0}", ["'claimd'", "'claimed'"]),
    (CLAIMS, "in: policies}", "in: polices}", ["'polices'", "'policies'"]),
    # features
    (GROUP, "source: claims\n", "source: claim\n", ["no source 'claim'", "'claims'"]),
    (GROUP, "entity: policy_no\n", "entity: policy\n", ["entity", "'policy_no'"]),
    (GROUP, "windows: [30d, 365d]", "windows: [30d, 12 months]", ["months differ in length"]),
    (GROUP, "  claims_{window}:\n", "  claims:\n", ["put {window} into its name"]),
    # use cases
    (USE, "each: claims,", "each: claim,", ["score.each", "'claims'"]),
    (USE, "from: {source: claims}", "from: {source: claimz}", ["label.from.source", "'claims'"]),
    (USE, "from: {source: claims}", "from: {source: claims, match: claim}", ["label.from.match", "'claim_no'"]),
    (USE, "outcome = 'fraud'", "outcom = 'fraud'", ["label.positive", "'outcome'"]),
    (USE, "outcome = 'fraud'", "region = 'fraud'", ["'region'", "known_later"]),
    (USE, "outcome = 'fraud'", "outcome = = 'fraud'", ["not an SQL expression"]),
    (
        USE,
        "[policy_history, this.claimed]",
        "[policy_hist, this.claimed]",
        ["no feature group 'policy_hist'", "'policy_history'"],
    ),
    (USE, "[policy_history, this.claimed]", "[policy_history.claims_7d]", ["no feature 'claims_7d'", "'claims_30d'"]),
    (USE, "[policy_history, this.claimed]", "[policy_history, claimed]", ["write this.claimed"]),
    (USE, "[policy_history, this.claimed]", "[policy_history, this.outcome]", ["known later"]),
    (USE, "never: [outcome, closed]", "never: [outcome, closd]", ["never", "'closed'"]),
    (USE, ONLY, f"{ONLY}segments: [claims_3d]\n", ["segments", "no feature 'claims_3d'", "'claims_30d'"]),
    (USE, ONLY, f"{ONLY}segments: [region]\n", ["segments", "write this.region"]),
    (USE, ONLY, f"{ONLY}segments: [this.regoin]\n", ["segments", "'region'"]),
    (USE, ONLY, f"{ONLY}segments: [this.happened]\n", ["segments", "texts, numbers and yes/no"]),
    (USE, ONLY, f"{ONLY}segments: [this.outcome]\n", ["segments", "known later"]),
    (USE, ONLY, f"{ONLY}segments: [this.region, this.region]\n", ["segments", "twice"]),
    (USE, "split: {", "split: {hold_out: {of: polcy_no}, ", ["split.hold_out.of", "did you mean 'policy_no'"]),
    (USE, "split: {", "split: {hold_out: {of: outcome}, ", ["split.hold_out.of", "only known later"]),
    (USE, "split: {", "split: {hold_out: {of: policy_no, share: 0.7}, ", ["split.hold_out.share", "0.5"]),
    (USE, "claims_30d >= 3 or", "claims_3d >= 3 or", ["baseline_rule", "'claims_30d'"]),
    (USE, "or this.claimed >", "or claimed >", ["write this.claimed"]),
    (
        USE,
        "only_increases_with: [claims_30d]",
        "only_increases_with: [claims_31d]",
        ["only_increases_with", "'claims_30d'"],
    ),
    (USE, "model:\n", "gates: {segments: {}}\nmodel:\n", ["gates.segments: name under `segments`"]),
    (USE, "model:\n", "gates: {fast: {}}\nmodel:\n", ["at least one of p99_ms"]),
    (USE, "model:\n", "gates: {segments: {not_worse_than: [champian]}}\nmodel:\n", ["did you mean 'champion'?"]),
    (USE, "one_alert_per: policy_no", "one_alert_per: policy", ["one_alert_per", "'policy_no'"]),
    (USE, "value: this.claimed", "value: this.region", ["'region' is text"]),
    (
        USE,
        "only_increases_with: [claims_30d]\n",
        "only_increases_with: [claims_30d]\n  weights: claims_31d\n",
        ["no feature of this use case", "'claims_30d'"],
    ),
    (
        USE,
        "only_increases_with: [claims_30d]\n",
        "only_increases_with: [claims_30d]\n  weights: this.claimd\n",
        ["weights", "'claimed'"],
    ),
    (
        USE,
        "only_increases_with: [claims_30d]\n",
        "only_increases_with: [claims_30d]\n  weights: this.region\n",
        ["'region' is text", "a weight is money or a number"],
    ),
    (
        USE,
        "only_increases_with: [claims_30d]\n",
        "only_increases_with: [claims_30d]\n  search: {engine: optunas}\n",
        ["'hyperopt' or 'optuna'", "engine"],
    ),
    (
        USE,
        "only_increases_with: [claims_30d]\n",
        "only_increases_with: [claims_30d]\n  search: {folds: {count: 1}}\n",
        ["folds.count", "2"],
    ),
    (USE, "zone: Europe/Berlin\n", "zone: Berlin\n", ["no time zone 'Berlin'"]),
    (USE, "matures_after: 90d", "matures_after: soon", ["'soon'", "36 months"]),
    # marts
    (
        DAYS,
        "  FROM silver.claims_current AS c\n",
        "  FROM silver.claim_current AS c\n",
        ["'silver.claim_current'", "'silver.claims_current'"],
    ),
    (DAYS, "  FROM silver.claims_current AS c\n", "  FROM claims AS c\n", ["write silver.claims"]),
    (DAYS, "  region,\n", "  regon,\n", ["no column 'regon'", "'region'"]),
    (DAYS, "SUM(known.claimed)", "SUM(known.claimd)", ["no column 'claimd'", "'claimed'"]),
    (DAYS, "p.policy_no = c.policy_no", "p.policy_number = c.policy_no", ["'policy_number'", "'policy_no'"]),
    (DAYS, "  claims: how many\n", "  claim: how many\n", ["makes no column 'claim'", "'claims'"]),
    (DAYS, "GROUP BY ALL\n", "GROUP BY (ALL\n", ["not valid SQL"]),
    (BEST, "FROM gold.claims_by_day\n", "FROM gold.claim_by_day\n", ["'gold.claims_by_day'"]),
    (
        BEST,
        "columns: {day: day of the claim, claims: how many}",
        "columns: {day: day of the claim}",
        ["does not describe claims"],
    ),
]


def found(conf: Path) -> list[str]:
    return [f"{p.file.relative_to(conf)}:{p.line}: {p.message}" for p in check_config(survey(conf))]


def test_a_whole_configuration_has_no_problems(tmp_path: Path) -> None:
    assert found(write_small_conf(tmp_path)) == []


@pytest.mark.parametrize(("file", "before", "after", "words"), MISTAKES, ids=[f"{m[0]}: {m[2]!r}" for m in MISTAKES])
def test_a_planted_mistake_is_found_at_its_line_with_a_hint(
    tmp_path: Path, file: str, before: str, after: str, words: list[str]
) -> None:
    conf = write_small_conf(tmp_path)
    text = FILES[file]
    assert text.count(before) == 1
    (conf / file).write_text(text.replace(before, after), "utf-8")
    at = text.index(before) + len(after.rstrip("\n")) if "\n" not in after.rstrip("\n") else text.index(before)
    line = text.replace(before, after)[:at].count("\n") + 1
    problems = found(conf)
    hits = [problem for problem in problems if all(word in problem for word in words)]
    assert hits, problems
    lines = range(line, line + after.rstrip("\n").count("\n") + 1)
    assert any(hit.startswith(tuple(f"{file}:{number}:" for number in lines)) for hit in hits), (line, hits)


def test_a_text_that_a_column_never_holds_is_said_where_it_is_compared(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    closed = FILES[CLAIMS].replace("region: {type: text}", "region: {type: text, codes: {N: north, S: south}}")
    known = (
        "expect:\n  - rule: known\n    expect_column_values_to_be_in_set: {column: outcome, value_set: [fraud, paid]}\n"
    )
    closed = closed.replace("expect:\n", known).replace("min_value: 0}", "min_value: 0, where: \"region <> 'N'\"}")
    use = FILES[USE].replace("outcome = 'fraud'", "outcome in ('frod', 'paid')")
    (conf / CLAIMS).write_text(closed, "utf-8")
    day = FILES[DAYS].replace("c.policy_no\n)", "c.policy_no\n  WHERE c.region <> 'nrth' AND p.holder <> 'N'\n)")
    (conf / DAYS).write_text(day, "utf-8")
    (conf / USE).write_text(
        use.replace("this.claimed > 9000", "this.region = 'nrth' or this.region = 'south'"), "utf-8"
    )
    assert [problem.partition(": ")[2] for problem in found(conf)] == [
        "region is never 'nrth' in claims; did you mean 'north'?",
        "where: region is never 'N' in claims; 'N' is 'north' from silver on",
        "label.positive: outcome is never 'frod' in claims; did you mean 'fraud'?",
        "baseline_rule: region is never 'nrth' in claims; did you mean 'north'?",
    ]
    (conf / CLAIMS).write_text(closed.replace("[fraud, paid]}", "[fraud, paid]}\n    otherwise: warn"), "utf-8")
    assert not any("outcome" in problem for problem in found(conf)), "silver holds what a rule only warns of"


def test_a_misspelt_key_or_word_hides_no_other_mistake_and_makes_none(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    path = conf / CLAIMS
    text = path.read_text("utf-8")
    for before, after in (
        ("owner: data@insurer.example\n", "onwer: data@insurer.example\nsize: 3\n"),
        ("{type: text}\n  outcome", "{type: txt}\n  outcome"),
        ("key: claim_no\n", "key: claim_nr\n"),
    ):
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, "utf-8")
    found = [problem.message for problem in check_config(survey(conf))]
    assert len(found) == 6, found  # the key is missed by the contract, and by the use case that joins by it
    for words in ("unknown key 'onwer'", "unknown key 'size'", "owner: is required", "'txt'", "no column 'claim_nr'"):
        assert any(words in message for message in found)


def test_a_missing_known_at_says_what_to_write(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    (conf / POLICIES).write_text(FILES[POLICIES].replace("known_at: {happened_at plus: 1 day}\n", ""), "utf-8")
    assert any("known_at: is required" in problem and "{happened_at plus: 1 day}" in problem for problem in found(conf))


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    (conf / POLICIES).write_bytes(FILES[POLICIES].replace("each policy", "each Größe").encode("latin-1"))
    assert any(problem.startswith(f"{POLICIES}:2: is not UTF-8") for problem in found(conf))


def test_a_yaml_ending_that_would_be_ignored_is_a_problem(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    (conf / "sources/extra.yaml").write_text("source: extra\n", "utf-8")
    assert any("rename it to extra.yml" in problem for problem in found(conf))


def test_an_empty_file_is_a_problem(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    (conf / "sources/extra.yml").write_text("", "utf-8")
    assert any(problem.startswith("sources/extra.yml:1: is empty") for problem in found(conf))


def test_marts_that_read_each_other_are_a_problem(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    changed = FILES[DAYS].replace("FROM known\n", "FROM known JOIN gold.best_days USING (claims)\n")
    (conf / DAYS).write_text(changed, "utf-8")
    assert any(
        "in a circle" in problem and "best_days → claims_by_day" in problem.replace("claims_by_day → best_days → ", "")
        for problem in found(conf)
    )


def test_a_broken_target_is_reported_beside_everything_else(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    (conf / "targets/local.yml").write_text("target: local\nlaek: here\n", "utf-8")
    (conf / CLAIMS).write_text(FILES[CLAIMS].replace("key: claim_no\n", "key: claim_nr\n"), "utf-8")
    problems = found(conf)
    assert any(
        problem.startswith("targets/local.yml:2: unknown key 'laek'; did you mean 'lake'?") for problem in problems
    )
    assert any("'claim_nr'" in problem for problem in problems)


def test_a_broken_source_does_not_make_its_readers_look_broken(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    (conf / CLAIMS).write_text(FILES[CLAIMS].replace("format: csv", "format: excel"), "utf-8")
    assert [problem.split(":")[0] for problem in found(conf)] == [CLAIMS]


def test_files_of_targets_and_tenants_that_were_not_chosen_are_checked_too(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    (conf / "tenants").mkdir()
    (conf / "targets/prod.yml").write_text("target: prod\ncatalgo: x\n", "utf-8")
    (conf / "targets/copy.yml").write_text("target: prod\n", "utf-8")
    (conf / "tenants/acme.yml").write_text("catalgo: x\n", "utf-8")
    (conf / "tenants/good.yml").write_text("catalog: x\n", "utf-8")
    assert [problem.partition(";")[0] for problem in found(conf)] == [
        "targets/copy.yml:1: target: 'prod' must be called like its file, 'copy'",
        "targets/prod.yml:2: unknown key 'catalgo'",
        "tenants/acme.yml:1: unknown key 'catalgo'",
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("mlflow: {tracking: dataabricks}", "mlflow.tracking: 'dataabricks' is neither a URI nor a known place"),
        ("mlflow: {registry: databricks--uc}", "did you mean 'databricks-uc'"),
        ("pan_key: ssecret:finlake/pan_key", "pan_key: 'ssecret:finlake/pan_key' refers to nothing; write env:NAME"),
        ("catalog: finlake prod", "catalog: "),
        ("pan_key: secret:finlake", "write env:NAME or secret:scope/key"),
    ],
)
def test_a_place_that_nothing_is_at_is_refused(tmp_path: Path, line: str, says: str) -> None:
    conf = write_small_conf(tmp_path)
    (conf / "targets/prod.yml").write_text(f"target: prod\n{line}\n", "utf-8")
    (problem,) = found(conf)
    assert problem.startswith("targets/prod.yml:2: ")
    assert says in problem


def test_a_list_for_a_target_and_a_folder_for_a_source_are_problems(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    (conf / "targets/local.yml").write_text("- local\n", "utf-8")
    (conf / "sources/dir.yml").mkdir()
    assert found(conf) == [
        "sources/dir.yml:None: is a folder; move it, or make it a file",
        "targets/local.yml:1: must be a mapping of keys to values, not a list",
    ]
