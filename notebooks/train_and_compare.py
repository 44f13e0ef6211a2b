# Databricks notebook source
# MAGIC %md
# MAGIC # Train and compare a model
# MAGIC Train as the nightly job does, see how the model compares with what people use today, and try a model of your own on the
# MAGIC same rows. Nothing here looks at the test period except the training itself, which counts that it did.

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
use_case = os.environ.get("FINLAKE_USE_CASE", next(iter(lake.config.use_cases)))
lake.config.use_case(use_case).purpose

# COMMAND ----------

# MAGIC %md
# MAGIC Search, fit and evaluation, tracked in MLflow. Where nothing is new since the last model, that one stands.

# COMMAND ----------

trained = lake.train(use_case)
trained

# COMMAND ----------

# MAGIC Each figure with its 95% interval; a `difference` is paired, finlake minus the other on the same rows.

# COMMAND ----------

figures = lake.figures(use_case)
compared = figures[figures["figure"].str.contains("average_precision|roc_auc")]
compared[["figure", "value", "low", "high"]]

# COMMAND ----------

trials = lake.sql(
    f"SELECT trial, metric, rounds, seconds, status, params FROM ops.trials WHERE use_case = '{use_case}' ORDER BY metric DESC"
).toPandas()
trials

# COMMAND ----------

# MAGIC %md
# MAGIC A model of your own on the same training set. At most 50,000 rows come here; it is judged on `choose`, as trials are.

# COMMAND ----------

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score

card = lake.sql(
    f"SELECT features FROM ops.models WHERE use_case = '{use_case}' AND version = '{trained['version']}' LIMIT 1"
).first()
columns = list(card["features"])
rows = lake.table(f"features.training_{use_case}").where("label IS NOT NULL AND part IN ('train', 'choose')")
drawn = rows.where("part = 'choose' OR label = 1 OR pmod(xxhash64(decision_key), 10) < 3").select(
    "part", "label", *columns
)
sample = drawn.limit(50_000).toPandas()

# COMMAND ----------

train, choose = (sample[sample["part"] == part] for part in ("train", "choose"))
own = HistGradientBoostingClassifier(random_state=7).fit(train[columns].astype(float), train["label"].astype(int))
chance = own.predict_proba(choose[columns].astype(float))[:, 1]
{"own model": average_precision_score(choose["label"], chance), "best trial": trials["metric"].max()}
