# Databricks notebook source
# MAGIC %md
# MAGIC # First look
# MAGIC What is in the lake, whom to call today and why, and every figure behind it. Run `make demo` before, or the job
# MAGIC `nightly` in a workspace.

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
    conf=root / "conf",
    target=os.environ.get("FINLAKE_TARGET", "dev" if in_workspace else "local"),
    lake=None if in_workspace else os.environ.get("FINLAKE_LAKE", str(root / "lake")),
)
lake.tables()

# COMMAND ----------

# MAGIC %md
# MAGIC Whom to call, most likely first, with the reasons in words.

# COMMAND ----------

calls = lake.preview("bi.alert_queue", rows=20)
calls

# COMMAND ----------

# MAGIC %md
# MAGIC Every figure that is printed or plotted, with the table versions it came from.

# COMMAND ----------

figures = lake.figures()
figures

# COMMAND ----------

# MAGIC %md
# MAGIC Anything else is SQL over two-part names; the target knows catalog and tenant.

# COMMAND ----------

received = lake.sql(
    "SELECT source, sum(received) AS received, sum(quarantined) AS quarantined "
    "FROM bi.batches GROUP BY source ORDER BY source"
).toPandas()
received
