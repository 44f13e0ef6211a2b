"""Where the code runs: a Databricks workspace or an ordinary machine."""

from __future__ import annotations

import os


def on_databricks() -> bool:
    """True on clusters and serverless compute of a workspace."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ
