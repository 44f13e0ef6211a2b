"""The SQL subset: what it takes, what it refuses, and where it points."""

from __future__ import annotations

import pytest

from finlake.errors import ConfigError
from finlake.features.expressions import Scope, parse

SCOPE = Scope(
    {"amount": "number", "mode": "text", "paid_at": "time", "online": "boolean"},
    {"income": "number", "home": "text"},
    ["fraud"],
    "column of payments",
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hour(paid_at) < 6", "boolean"),
        ("label(fraud) = 1", "boolean"),
        ("not online and amount between 1 and 2 or mode is null", "boolean"),
        ("mode in ('a', 'b') and mode like 'x%'", "boolean"),
        ("amount not in (1, -2)", "boolean"),
        ("case when amount > 1 then 2 else null end", "number"),
        ("case mode when 'a' then 1 when 'b' then 2 else 0 end", "number"),
        ("if(online, 1, 0) + coalesce(amount, 0) % 3", "number"),
        ("round(ln(this.income), 2) - log10(amount) / pow(amount, 2)", "number"),
        ("datediff(paid_at, date '2025-01-01')", "number"),
        ("cast(mode as double)", "number"),
        ("greatest(amount, this.income, 3)", "number"),
        ("nullif(amount, 0) is not null", "boolean"),
        ("coalesce(amount)", "number"),
        ("online is true", "boolean"),
    ],
)
def test_the_subset_is_understood(text, kind):
    assert parse(text, SCOPE).kind == kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("amout > 3", "no column of payments 'amout'; did you mean 'amount'?"),
        ("amount > 3 and amuont < 5", "(character 16 of"),
        ("income > 3", "write this.income"),
        ("this.incone > 3", "the scored row has no column 'incone'; did you mean 'income'?"),
        ("other.amount > 3", "write amount, or this.amount"),
        ("label(frau) = 1", "no use case 'frau' labels these rows; did you mean 'fraud'?"),
        ("label('fraud') = 1", "write label(<use case>)"),
        ("hours(paid_at) < 6", "no function hours; did you mean 'hour'?"),
        ("sum(amount) > 3", "outside the SQL"),
        ("(select 1) = 1", "outside the SQL"),
        ("amount > 3; drop table x", "outside the SQL"),
        ("row_number() over (order by amount) = 1", "outside the SQL"),
        ("amount = 'three'", "puts a number beside a text"),
        ("mode + 1", "is a text where a number is needed"),
        ("not amount", "is a number where a condition is needed"),
        ("hour(amount) = 1", "is a number where a time is needed"),
        ("mode in ('a', null)", "null is never equal"),
        ("mode like mode", "plain text"),
        ("mode like null", "plain text"),
        ("mode like 'a\\\\b'", "a backslash stands before"),
        ("cast(amount as binary)", "cannot cast to"),
        ("cast(amount as date)", "a number cannot be cast to a date"),
        ("cast(online as timestamp)", "a condition cannot be cast to a timestamp"),
        ("cast(online as date)", "a condition cannot be cast to a date"),
        ("greatest(amount)", "greatest takes 2 arguments or more"),
        ("nullif(amount)", "nullif takes 2 arguments|not an expression"),
        ("log2(amount)", "ln(x) and log10(x)"),
        ("round()", "outside the SQL|round takes|not an expression"),
        ("amount >", "is not an expression at character"),
        ("mode", "CASE WHEN"),
        ("paid_at", "is a time where a number is needed"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, said):
    with pytest.raises(ConfigError) as caught:
        parse(text, SCOPE)
    assert any(part in str(caught.value) for part in said.split("|")), str(caught.value)


def test_a_condition_is_not_a_number_and_a_window_does_not_see_the_scored_row():
    with pytest.raises(ConfigError, match=r"for example label\(fraud\) = 1"):
        parse("label(fraud)", SCOPE, "boolean")
    with pytest.raises(ConfigError, match="a condition where a number is needed"):
        parse("online", SCOPE, "number")
    with pytest.raises(ConfigError, match="cannot look at the scored row"):
        parse("amount > this.income", Scope({"amount": "number"}), "boolean")


def test_the_names_an_expression_uses_are_told_by_kind():
    tree = parse("amount / this.income > 1 and label(fraud) = 1", SCOPE)
    assert (tree.names("column"), tree.names("this"), tree.names("label")) == ({"amount"}, {"income"}, {"fraud"})
