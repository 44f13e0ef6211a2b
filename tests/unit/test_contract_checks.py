"""Expectations are checked before any data is read: every mistake has a sentence and the keys that lead to it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from finlake.config import Source
from finlake.contracts.check_contract import check_expectations
from finlake.contracts.contract import contract_digest, needed_columns, sequence_column
from finlake.contracts.references import depends_on
from finlake.contracts.strftime import spark_pattern
from finlake.contracts.vocabulary import ROW_ARGUMENTS
from finlake.errors import ContractError


def contract(*rules: dict[str, Any], **changes: Any) -> Source:
    values = {
        "source": "things",
        "about": "Things.",
        "owner": "team@lender.example",
        "read": {"from": "things", "format": "csv"},
        "columns": {
            "id": {"type": "text"},
            "size": {"type": "number"},
            "price": {"type": "money", "currency": "EUR"},
            "made_at": {"type": "timestamp"},
            "label": {"type": "text", "as": "name"},
        },
        "key": "id",
        "happened_at": "made_at",
        "known_at": "made_at",
        "expect": [{"rule": f"rule {number}", **rule} for number, rule in enumerate(rules)],
    }
    return Source.model_validate({**values, **changes})


def problem(name: str, **arguments: Any) -> str:
    """The only problem of a contract with one rule; fails if there are more or none."""
    found = check_expectations(contract({f"expect_{name}": arguments}))
    assert len(found) == 1, found
    message, keys = found[0]
    assert keys[:2] == ("expect", 0)
    return message


def test_a_misspelt_expectation_gets_a_suggestion():
    assert "did you mean 'expect_column_values_to_be_between'" in problem("column_value_to_be_between", column="size")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": {"id": {"type": "text"}, "ID": {"type": "text"}}}, "columns 'id' and 'ID' differ only in case"),
        ({"columns": {"id": {"type": "integer", "pii": "pan"}}}, "is a token, so its type is text, not integer"),
        ({"read": {"from": "x", "format": "csv", "quote": "''"}}, "at most 1 character"),
        ({"read": {"from": "x", "format": "csv", "escape": "ab"}}, "at most 1 character"),
    ],
)
def test_what_no_file_could_be_read_by_is_refused(changes: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        contract(**changes)


def test_a_wrong_argument_gets_a_suggestion():
    message = problem("column_values_to_be_between", column="size", min_valu=1, max_value=2)
    assert "no argument 'min_valu'; did you mean 'min_value'" in message


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("column_values_to_be_between", {"column": "size", "min_value": "3"}, "min_value '3' is not a number"),
        ("column_values_to_be_between", {"column": "made_at", "min_value": 3}, "min_value 3 is not a timestamp"),
        ("column_values_to_be_between", {"column": "name", "min_value": 3}, "name is text, which has no order"),
        ("column_values_to_be_between", {"column": "size"}, "needs min_value or max_value"),
        ("column_values_to_be_between", {"column": "size", "min_value": 3, "max_value": 1}, "3 lies above max_value 1"),
        ("column_values_to_be_in_set", {"column": "name", "value_set": ["a", None]}, "null in value_set"),
        (
            "column_values_to_be_in_set",
            {"column": "size", "value_set": ["a"]},
            "size is number, and 'a' in value_set is not",
        ),
        ("column_values_to_be_in_set", {"column": "size", "value_set": []}, "at least one value"),
        ("column_values_to_be_in_set", {"column": "size"}, "needs `value_set`"),
        ("column_values_to_match_regex", {"column": "name", "regex": "(a"}, "is not a regular expression"),
        ("column_values_to_match_regex", {"column": "size", "regex": "a"}, "asked of texts only"),
        ("column_values_to_match_strftime_format", {"column": "name", "strftime_format": "%Q"}, "%Q is not supported"),
        ("column_value_lengths_to_be_between", {"column": "size", "max_value": 3}, "lengths are asked of texts only"),
        ("multicolumn_sum_to_equal", {"column_list": ["size"], "sum_total": 1}, "at least two columns"),
        (
            "multicolumn_sum_to_equal",
            {"column_list": ["size", "price"], "sum_total": "1"},
            "sum_total must be a number",
        ),
        (
            "column_pair_values_to_be_equal",
            {"column_A": "size", "column_B": "price", "ignore_row_if": "never"},
            "unknown ignore_row_if 'never'",
        ),
        (
            "column_pair_values_to_be_in_set",
            {"column_A": "size", "column_B": "price", "value_pairs_set": [[1, 2], [3]]},
            "value_pairs_set must be a list of pairs",
        ),
        ("column_value_lengths_to_equal", {"column": "name", "value": "3"}, "a whole number from 0 on, got '3'"),
        ("column_value_lengths_to_equal", {"column": "size", "value": 3}, "lengths are asked of texts only"),
        ("table_row_count_to_equal", {"value": -1}, "value must be a whole number from 0 on, got -1"),
        (
            "column_value_z_scores_to_be_less_than",
            {"column": "name", "threshold": 3, "double_sided": True},
            "z-scores are asked of numbers only",
        ),
        (
            "column_value_z_scores_to_be_less_than",
            {"column": "size", "threshold": 3, "double_sided": "yes"},
            "double_sided must be true or false",
        ),
        ("column_values_to_match_regex", {"column": "name", "regex": 3}, "regex must be a text, got 3"),
        ("column_values_to_match_regex_list", {"column": "name", "regex_list": "a"}, "a list with at least one text"),
        (
            "column_values_to_match_regex_list",
            {"column": "name", "regex_list": ["a"], "match_on": "al"},
            "unknown match_on 'al'; did you mean 'all'",
        ),
        ("row_condition", {"condition": True}, "condition must be a text, got True"),
        ("row_condition", {"condition": "size >"}, "is not SQL"),
        ("row_condition", {"condition": "sizes > 1"}, "did you mean 'size'"),
        ("row_condition", {"condition": "sum(size) > 1"}, "must be a condition on one row"),
        ("not_in_future", {"column": "size"}, "not a date or timestamp"),
        ("column_quantile_values_to_be_between", {"column": "size"}, "use a median or a mean"),
        ("column_mean_to_be_between", {"column": "size", "min_value": "a"}, "min_value 'a' is not a number"),
    ],
)
def test_a_mistake_is_named(name, arguments, words):
    assert words in problem(name, **arguments)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            {"expect_not_in_future": "made_at"},
            "takes a mapping of arguments, for example {column: amount}; got 'made_at'",
        ),
        ({"expect_not_in_future": [1]}, "takes a mapping of arguments"),
        ({"expect_not_in_future": {"column": ["made_at"]}}, "column must be one name, got ['made_at']"),
        ({"expect_not_in_future": {"column": None}}, "column must be one name, got None"),
        ({"expect_reference": {"column": "id", "in": ["others"]}}, "in must be one name"),
        (
            {"expect_compound_columns_to_be_unique": {"column_list": "id"}},
            "column_list must be a list of names, got 'id'",
        ),
        ({"expect_compound_columns_to_be_unique": {"column_list": 3}}, "column_list must be a list of names, got 3"),
    ],
)
def test_arguments_of_another_shape_are_refused_when_the_contract_is_read(rule: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=re.escape(words)):
        contract(rule)


def test_good_rules_have_no_problem():
    good = contract(
        {"expect_column_values_to_be_between": {"column": "price", "min_value": 0.01, "max_value": 50000}},
        {"expect_column_values_to_be_between": {"column": "made_at", "min_value": "2020-01-01"}},
        {"expect_column_mean_to_be_between": {"column": "price", "min_value": 1}},
        {"expect_column_value_lengths_to_be_between": {"column": "name", "max_value": 12}},
        {"expect_row_condition": {"condition": "size > 1 OR name = 'x'"}},
        {"expect_table_row_count_to_be_between": {"min_value": 1}, "otherwise": "stop"},
    )
    assert check_expectations(good) == []


def test_a_rule_about_the_whole_batch_cannot_quarantine_rows():
    rule = {"expect_column_mean_to_be_between": {"column": "size", "max_value": 3}, "otherwise": "quarantine"}
    assert "cannot quarantine rows" in check_expectations(contract(rule))[0][0]


def test_two_rules_need_two_sentences():
    twice = contract(
        {"rule": "size is there", "expect_column_values_to_not_be_null": {"column": "size"}},
        {"rule": "size is there", "expect_column_values_to_be_between": {"column": "size", "min_value": 1}},
    )
    assert "used twice" in check_expectations(twice)[0][0]


def test_every_row_expectation_that_is_documented_is_compiled():
    from finlake.contracts.expectations import ROW_EXPECTATIONS

    assert set(ROW_EXPECTATIONS) == set(ROW_ARGUMENTS)


@pytest.mark.parametrize(
    ("directives", "pattern"),
    [
        ("%d.%m.%Y", "d.M.yyyy"),
        ("%Y-%m-%dT%H:%M:%S", "yyyy-M-d'T'H:m:s"),
        ("am %d%%'s", "'am 'd'%''s'"),
        ("%y%m", "yyM"),
    ],
)
def test_strftime_directives_become_a_spark_pattern(directives, pattern):
    assert spark_pattern(directives) == pattern


def test_words_for_people_do_not_change_the_digest_of_a_contract():
    assert contract_digest(contract(about="Other words.")) == contract_digest(contract())
    assert contract_digest(contract(stop_above=0.1)) != contract_digest(contract())


def test_key_clocks_and_sequence_are_needed_even_if_not_required():
    source = contract(latest_by="size")
    assert needed_columns(source) == {"id", "made_at", "size"}
    assert sequence_column(contract()) == "made_at"
    assert sequence_column(contract(known_at={"happened_at plus": "1 day"})) == "made_at"


def test_sources_that_others_refer_to_come_first_and_a_circle_is_an_error():
    first, second = contract(source="alpha"), contract(source="beta")
    link = {"rule": "there", "name": "expect_reference", "arguments": {"column": "id", "in": "beta"}}
    first = contract(source="alpha", expect=[link])
    sources = {"alpha": first, "beta": second}
    assert depends_on(sources, sources) == {"alpha": {"beta"}, "beta": set()}
    assert depends_on(sources, ["alpha"]) == {"alpha": set()}
    back = contract(source="beta", expect=[{**link, "arguments": {"column": "id", "in": "alpha"}}])
    with pytest.raises(ContractError, match="in a circle"):
        depends_on({"alpha": first, "beta": back}, sources)
