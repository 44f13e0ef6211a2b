"""Features made by functions in Python: what is refused before any data is touched, what is told apart, what is answered."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.small_conf import write_small_conf

from finlake.cli.main import execute
from finlake.config import Config, load, survey
from finlake.config.check import check_config
from finlake.config.features import PythonFunction
from finlake.errors import ConfigError, FeatureError
from finlake.features.check import check_features
from finlake.features.definitions import definition_digest, select
from finlake.features.python_calls import PythonCall, meaning
from finlake.features.python_check import ROWS, sample
from finlake.features.python_results import numbers
from finlake.features.trace import trace
from finlake.features.words import describe
from finlake.lakehouse.spark_errors import of_a_feature

GROUP = """\
group: policy_history
about: What this policy claimed before.
entity: policy_no
source: claims
features:
  claims_{window}: {count: rows, windows: [30d, 365d]}
  risk_{window}:
    python:
      call: %s
      of: %s
    windows: [30d, 365d]
"""
MODULE = """\
from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import pandas as pd
from finlake.errors import suggestion as made_elsewhere

COUNTER = itertools.count()
DRAW = random.Random(1)
NO_FUNCTION = 3

@dataclass
class Curve:
    height: float

def sound(claimed, claims, region):
    return Curve(2.0).height * claimed / claims + region.map({"a": 1.0}).fillna(0)

def one(x): return x + 1
def own_way(x): x[:] = 1.0; return x
def fails(x):
    return x / {}["width"]
def mean(x): return x.mean()
def short(x): return x.dropna()
def words(x): return x.map(lambda value: "high" if value > 1 else None)
def centred(x): return x - x.mean()
def before(x): return x.shift()
def largest_first(x): return x.sort_values(ascending=False)
def counted(x): return x + next(COUNTER)
def chance(x): return x + DRAW.random()
def alone_only(x): return [float(x.iloc[0])] if len(x) == 1 else [0.0] * len(x)
def half(x): return x if len(x) != 12 else x * 2
"""
SOUND = ("scores.curves:sound", '[this.claimed, "claims_{window}", this.region]')


def conf_with(tmp_path: Path, call: str, of: str, module: str = MODULE) -> Path:
    conf = write_small_conf(tmp_path)
    (conf / "features" / "policy_history.yml").write_text(GROUP % (call, of), "utf-8")
    use_case = conf / "use_cases" / "claim_fraud.yml"
    use_case.write_text(use_case.read_text("utf-8").replace(", this.claimed]", "]"), "utf-8")
    (conf / "python" / "scores").mkdir(parents=True)
    (conf / "python" / "scores" / "curves.py").write_text(module, "utf-8")
    return conf


def said(config: Config) -> list[str]:
    return [str(problem) for problem in [*check_config(config), *check_features(config)]]


def digest(conf: Path) -> str:
    return definition_digest(load(conf).use_case("claim_fraud"), load(conf))


def test_a_sound_function_has_no_problems_and_is_followed_to_its_columns(tmp_path: Path) -> None:
    config = load(conf_with(tmp_path, *SOUND))
    assert said(config) == []
    use_case = config.use_case("claim_fraud")
    uses = {(use.column, use.how) for use in trace(use_case, config)["risk_30d"]}
    assert uses == {("claimed", "this"), ("region", "this")}
    definition = select(use_case, config).definitions["risk_30d"]
    assert describe(definition) == "scores.curves:sound of this.claimed, claims_30d, this.region"


@pytest.mark.parametrize(
    ("call", "of", "line", "message"),
    [
        ("curves", "[this.claimed]", 9, "is not module:function, for example"),
        ("scores.curve:one", "[this.claimed]", 9, "unknown module 'scores.curve'"),
        ("scores.curve:one", "[this.claimed]", 9, "did you mean 'scores.curves'?"),
        ("scores.curves:onne", "[this.claimed]", 9, "unknown function 'onne' in module scores.curves; did you mean 'one'?"),
        ("scores.curves:NO_FUNCTION", "[this.claimed]", 9, "is of type int; write a Python function"),
        ("nowhere:one", "[this.claimed]", 9, "unknown module 'nowhere' in conf/python and the installed packages"),
        ("math:sqrt", "[this.claimed]", 9, "math:sqrt is of type builtin_function_or_method"),
        ("scores.curves:one", "[this.claimed, claims_30d]", 10, "2 arguments for one(x): too many positional arguments"),
        ("scores.curves:sound", "[this.claimed]", 10, "missing a required argument: 'claims'"),
        ("scores.curves:one", "[this.claimd]", 10, "no column 'claimd'; did you mean 'claimed'"),
        ("scores.curves:one", "[claims_31d]", 10, "no feature of group policy_history 'claims_31d'; did you mean 'claims_30d'"),
        ("scores.curves:one", "[this.claimed + 1]", 10, "is an expression, and functions are given names"),
        ("scores.curves:one", "[this.closed]", 10, "row: hour(this.closed)"),
        ("scores.curves:fails", "[this.claimed]", 9, "raised KeyError (conf/python/scores/curves.py:24): 'width'"),
        ("scores.curves:mean", "[this.claimed]", 9, "returned a float64, not one number for each row"),
        ("scores.curves:short", "[this.claimed]", 9, f"values for {ROWS} rows"),
        ("scores.curves:words", "[this.claimed]", 9, "returned 'high', which is a str and no number"),
        ("scores.curves:centred", "[this.claimed]", 9, "a value may not depend on other rows"),
        ("scores.curves:before", "[this.claimed]", 9, "a value may not depend on other rows"),
        ("scores.curves:largest_first", "[this.claimed]", 9, "a value may not depend on other rows"),
        ("scores.curves:half", "[this.claimed]", 9, "among the first 12"),
        ("scores.curves:alone_only", "[claims_365d]", 9, "alone"),
        ("scores.curves:counted", "[this.claimed]", 9, "called again with the same rows it gives other values"),
        ("scores.curves:chance", "[this.claimed]", 9, "called again with the same rows it gives other values"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_once_with_its_line(tmp_path: Path, call: str, of: str, line: int, message: str) -> None:
    found = said(survey(conf_with(tmp_path, call, of)))
    assert len([text for text in found if "python" in text]) == 1, found
    assert message in found[0], found
    assert f"policy_history.yml:{line}: " in found[0]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("def one(x:\n", "conf/python/scores/curves.py:1: '(' was never closed"),
        ("import other\n", "ModuleNotFoundError (conf/python/scores/curves.py:1): No module named 'other'; a module of conf/python"),
        ("def one(x): return x\n1 / 0\n", "ZeroDivisionError (conf/python/scores/curves.py:2): division by zero"),
    ],
)  # fmt: skip
def test_a_module_that_cannot_be_imported_is_said_with_its_place(tmp_path: Path, module: str, message: str) -> None:
    (found,) = said(survey(conf_with(tmp_path, "scores.curves:one", "[this.claimed]", module)))
    assert message in found


def test_a_function_is_described_with_what_it_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    execute(["features", "describe", "risk_30d", "--conf", str(conf_with(tmp_path, *SOUND))])
    shown = capsys.readouterr().out
    assert "scores.curves:sound of this.claimed, claims_30d, this.region" in shown
    assert "python: call: scores.curves:sound; of: this.claimed, claims_{window}, this.region" in shown


def test_a_changed_function_is_another_version_and_other_modules_are_not(tmp_path: Path) -> None:
    conf = conf_with(tmp_path, *SOUND)
    before, whole = digest(conf), load(conf).digest
    other = conf / "python" / "unused.py"
    other.write_text("X = 1\n", "utf-8")
    assert digest(conf) == before
    assert load(conf).digest != whole
    module = conf / "python" / "scores" / "curves.py"
    module.write_text(MODULE.replace("Curve(2.0)", "Curve(3.0)"), "utf-8")
    assert digest(conf) != before
    module.unlink()
    with pytest.raises(ConfigError, match=r"unknown module 'scores\.curves'"):
        digest(conf)


def test_a_function_of_a_package_goes_by_its_source_and_the_version_of_the_package() -> None:
    function = PythonFunction(call="numpy:nan_to_num", of=["a"])
    found = meaning(function, {})
    assert "def nan_to_num(" in found["text"]
    assert found["versions"] == f"numpy {np.__version__}"
    assert PythonCall("g.f", function, None, ("number",)).of_one([None]) == 0.0


def test_the_auditor_follows_a_forbidden_column_into_a_function(tmp_path: Path) -> None:
    module = "def paid(outcome):\n    return outcome == 'paid'\n"
    found = said(survey(conf_with(tmp_path, "scores.curves:paid", "[this.outcome]", module)))
    assert any("the use case says it may never reach a model" in text and "risk_30d" in text for text in found), found


def test_names_follow_into_a_derived_group(tmp_path: Path) -> None:
    conf = conf_with(tmp_path, *SOUND)
    (conf / "features" / "region_history.yml").write_text(
        "group: region_history\nabout: a\nlike: policy_history\nnamed: region_{name}\nentity: region\n", "utf-8"
    )
    feature = load(conf).group("region_history").features["region_risk_{window}"]
    assert feature.python is not None
    assert feature.python.of == ["this.claimed", "region_claims_{window}", "this.region"]
    (conf / "features" / "region_history.yml").write_text(
        "group: region_history\nabout: a\nlike: policy_history\nnamed: region_{name}\nwithout: ['claims_{window}']\n",
        "utf-8",
    )
    assert any("is made from claims_30d; leave it out as well" in text for text in said(survey(conf)))


def test_a_function_is_given_copies_with_unknown_values_and_answers_the_same_after_travelling() -> None:
    text = "def f(a, b, t):\n    a[a < 0] = 0.0\n    return a + b + t.map(len, na_action='ignore')\n"
    function = PythonFunction(call="m:f", of=["a", "b", "t"])
    call = pickle.loads(pickle.dumps(PythonCall("g.f", function, text, ("number", "boolean", "text"))))
    amounts = pd.Series([-1.0, math.inf, 3.0, 4.0], index=[5, 6, 7, 8])
    made = call.answer(amounts, pd.Series([True, True, None, False]), pd.Series(["xy", "x", "x", None]))
    assert list(np.isnan(made)) == [False, True, True, True]
    assert made[0] == 3.0
    assert amounts.iloc[0] == -1.0
    assert [call.of_one(row) for row in ([-1.0, True, "xy"], [1.0, False, None])] == [3.0, None]
    assert call.answer(amounts[:0], amounts[:0], amounts[:0]).size == 0
    with pytest.raises(FeatureError, match=r"feature g\.f: m:f: raised ValueError"):
        replace(call, text="def f(a, b, t):\n    raise ValueError('no')\n").of_one([1.0, True, "x"])


@pytest.mark.parametrize(
    ("returned", "wanted"),
    [
        ([1, None, True], [1.0, None, 1.0]),
        (np.array([1.5, np.inf, np.nan]), [1.5, None, None]),
        (pd.Series([1, pd.NA, 3], dtype="Int64", index=[2, 1, 0]), [1.0, None, 3.0]),
        (pd.Series([True, pd.NA, False], dtype="boolean"), [1.0, None, 0.0]),
        (np.array([1, 2, 3], dtype="float32"), [1.0, 2.0, 3.0]),
        ([10**400, 1, 2], [None, 1.0, 2.0]),
    ],
)
def test_what_is_returned_becomes_doubles_in_its_order(returned: Any, wanted: list[float | None]) -> None:
    assert [None if math.isnan(value) else value for value in numbers(returned, 3)] == wanted


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "returned a NoneType, not one number for each row"),
        ("abc", "returned a str"),
        (np.ones((3, 1)), "returned a ndarray"),
        ([1.0], "returned 1 values for 3 rows"),
        ([1.0, "b", None], "returned 'b', which is a str and no number"),
        (pd.Series(pd.to_datetime(["2025-01-01"] * 3)), "returned values of type datetime64"),
        (np.array([1j, 2j, 3j]), "returned values of type complex128"),
    ],
)
def test_what_is_no_number_for_each_row_is_refused(returned: Any, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        numbers(returned, 3)


def test_the_sample_is_the_same_each_time() -> None:
    assert sample(("number", "text")) == sample(("number", "text"))
    assert sample(("boolean",))[0] == [None]


def test_other_errors_are_not_taken_for_a_features() -> None:
    assert of_a_feature(ValueError("finlake.errors.FeatureError: f")) is None
