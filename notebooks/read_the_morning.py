# Databricks notebook source
# MAGIC %md
# MAGIC # Read the morning's scores
# MAGIC Whom to call today and why, how each decision came about, what was found, and what has moved. Run `make demo` before,
# MAGIC or the job `nightly` in a workspace.

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
views = set(lake.tables())

# COMMAND ----------

# MAGIC %md
# MAGIC Whom to call, most likely first, with the reasons in words; what is still open from earlier days comes with it where a
# MAGIC queue is kept.

# COMMAND ----------

queue = "bi.open_queue" if "bi.open_queue" in views else "bi.alert_queue"
calls = lake.sql(f"SELECT * FROM {queue} ORDER BY use_case, queue_day DESC, place LIMIT 50").toPandas()
calls

# COMMAND ----------

# MAGIC %md
# MAGIC Every decision of the newest day, as it stands.

# COMMAND ----------

decisions = lake.sql(
    "SELECT use_case, day, decision, decisions, mean_probability, expected_loss FROM bi.decisions_by_day "
    "ORDER BY day DESC, use_case LIMIT 50"
).toPandas()
decisions

# COMMAND ----------

# MAGIC %md
# MAGIC What raised scores lately, and whether scores have moved since the version began: PSI below 0.1 says little, above 0.25 much.

# COMMAND ----------

reasons = lake.sql("SELECT * FROM bi.reasons_by_week ORDER BY week DESC, decisions DESC LIMIT 30").toPandas()
reasons

# COMMAND ----------

moved = lake.sql("SELECT * FROM bi.score_drift ORDER BY use_case, week DESC LIMIT 30").toPandas()
moved

# COMMAND ----------

# MAGIC %md
# MAGIC Value found and missed, once outcomes are known.

# COMMAND ----------

found = lake.preview("bi.value_by_month", rows=24) if "bi.value_by_month" in views else None
found

# COMMAND ----------

# MAGIC %md
# MAGIC Every figure that is printed or plotted, with the table versions it came from; anything else is SQL over two-part names.

# COMMAND ----------

figures = lake.figures()
figures

# COMMAND ----------

received = lake.sql(
    "SELECT source, sum(received) AS received, sum(quarantined) AS quarantined "
    "FROM bi.batches GROUP BY source ORDER BY source"
).toPandas()
received
