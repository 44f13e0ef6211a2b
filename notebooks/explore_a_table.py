# Databricks notebook source
# MAGIC %md
# MAGIC # Explore a table
# MAGIC What a table holds, how its rows arrived, which of them are broken, and how it was on an earlier day. Run `make demo`
# MAGIC before, or the job `nightly` in a workspace.

# COMMAND ----------

# MAGIC %pip install -q ruamel.yaml sqlglot filelock hyperopt great-expectations

# COMMAND ----------

import importlib.util
import os
import sys
from pathlib import Path

# In a Git folder nothing is installed: the source beside this notebook becomes the package.
root = Path.cwd().resolve().parent
if importlib.util.find_spec("finlake") is None:
    source = root / "src"
    spec = importlib.util.spec_from_file_location(
        "finlake", source / "__init__.py", submodule_search_locations=[str(source)]
    )
    sys.modules["finlake"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["finlake"])

import finlake

# COMMAND ----------

in_workspace = "DATABRICKS_RUNTIME_VERSION" in os.environ
lake = finlake.open(
    conf=os.environ.get("FINLAKE_CONF", str(root / "conf")),
    target=os.environ.get("FINLAKE_TARGET", "dev" if in_workspace else "local"),
    lake=None if in_workspace else os.environ.get("FINLAKE_LAKE", str(root / "lake")),
)
source = os.environ.get("FINLAKE_SOURCE", next(iter(lake.config.sources)))
table = f"silver.{source}"
lake.tables()

# COMMAND ----------

# MAGIC %md
# MAGIC Columns with what they are, and the first rows.

# COMMAND ----------

columns = lake.sql(f"DESCRIBE {table}").toPandas()
columns

# COMMAND ----------

first_rows = lake.preview(table, rows=10)
first_rows

# COMMAND ----------

# MAGIC %md
# MAGIC How many, how large, how often unknown: Spark counts, only the summary comes here.

# COMMAND ----------

summary = lake.table(table).summary("count", "mean", "stddev", "min", "50%", "max").toPandas().set_index("summary").T
summary

# COMMAND ----------

# MAGIC %md
# MAGIC Every received row is in exactly one place; broken rows have their reasons.

# COMMAND ----------

received = lake.sql(f"SELECT * FROM bi.batches WHERE source = '{source}' ORDER BY refined_at DESC LIMIT 50").toPandas()
received

# COMMAND ----------

rules = lake.sql(
    f"SELECT rule, severity, sum(checked) AS checked, sum(failed) AS failed FROM bi.quality WHERE source = '{source}' "
    "GROUP BY rule, severity ORDER BY failed DESC"
).toPandas()
rules

# COMMAND ----------

# MAGIC %md
# MAGIC A table keeps its versions: this is the first one.

# COMMAND ----------

at_first = lake.table(table, version=0)
{"rows now": lake.table(table).count(), "rows in version 0": at_first.count()}
