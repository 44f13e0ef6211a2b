"""The rule people use today, as a number over the training set."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.errors import ConfigError, suggestion
from finlake.features.build import rule
from finlake.features.columns import compile_expr
from finlake.features.expressions import Expr


def rule_column(frame: DataFrame, use_case: UseCase, config: Config) -> Column:
    """`baseline_rule` as a double: 1 and 0 for a condition, the number itself else; null where it cannot be said.

    Raises:
        ConfigError: the rule names something that is neither a feature nor a column of the scored row.
    """

    def resolve(expr: Expr) -> Column:
        names = [str(expr.value)] if expr.op == "column" else [str(expr.value), f"this_{expr.value}"]
        for name in names:
            if name in frame.columns:
                return F.col(f"`{name}`")
        hint = suggestion(names[0], frame.columns)
        raise ConfigError(
            f"baseline_rule of {use_case.use_case} needs {names[0]!r}, which the training set lacks{hint}"
        )

    return compile_expr(rule(use_case, config), resolve, use_case.zone).cast("double")
