"""Conditions that people write in SQL, so that one row cannot stop a batch."""

from __future__ import annotations

import sqlglot
from pyspark.sql import Column
from pyspark.sql import functions as F
from sqlglot import exp


def condition(text: str) -> Column:
    """The condition, with unknown where Spark would fail: a division by zero, a text that is no number."""
    tree = sqlglot.parse_one(text, read="databricks")
    if not tree.find(exp.Div, exp.Mod, exp.Cast):
        return F.expr(text)
    return F.expr(_inside(tree).sql(dialect="databricks"))


def _inside(tree: exp.Expression) -> exp.Expression:
    return tree.transform(_tolerant)


def _tolerant(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Div | exp.Mod):
        name = "try_divide" if isinstance(node, exp.Div) else "try_mod"
        return exp.Anonymous(this=name, expressions=[_inside(node.this), _inside(node.expression)])
    if type(node) is exp.Cast:
        return exp.TryCast(this=_inside(node.this), to=node.to)
    return node
