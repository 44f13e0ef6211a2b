"""The steps by name, with the option each one takes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

STEPS: dict[str, tuple[str | None, str]] = {
    "ingest": ("source", "Loads new files into bronze, as received."),
    "refine": (
        "source",
        "Types, checks and versions rows into silver; broken rows go to quarantine.",
    ),
    "networks": ("network", "Takes snapshots of who pays whom, which features look up."),
    "marts": (None, "Builds the gold marts in order of what they read."),
    "use-cases": ("only", "Lists the use cases in conf/, for the jobs' loops."),
    "features": ("use_case", "Builds the point-in-time feature table."),
    "stream": ("use_case", "Computes features of what became new in silver, in micro-batches; then the online store."),
    "profile": ("use_case", "Statistics, expectations and drift of the features."),
    "online": ("use_case", "Publishes what features need online, so that decisions need no Spark."),
    "train": ("use_case", "Searches, fits and evaluates a model, tracked in MLflow."),
    "promote": ("use_case", "Judges the gates and moves challenger and champion."),
    "score": ("use_case", "Scores new decisions with reasons, append-only."),
    "queue": ("use_case", "Opens alerts from decisions, carries open ones over, and takes in analysts' verdicts."),
    "outcomes": ("use_case", "Value found and missed, as labels become known."),
    "thresholds": ("use_case", "Cut-offs and alert thresholds that follow matured labels, by context."),
    "performance": ("use_case", "How decisions did, by week and month, once their labels have matured."),
    "publish": (None, "Creates the views that BI reads."),
}
ONE_BY_ONE = ("train", "promote", "score", "performance")  # their functions take one use case
REBUILDS = {
    "refine": "Make silver again from all of bronze, by the contract of today.",
    "networks": "Take every snapshot again, from what silver holds now.",
    "marts": "Build every mart again, also where nothing it reads has changed.",
    "features": "Compute every decision again, not only those that news touches.",
    "online": "Publish all of it again, not only what changed.",
}

AGAIN = "Read loaded files again whose path or name matches: the contract's `read` was wrong."
VERIFY = "Make the final fit twice and compare the digests; fails when they differ."


def load_step(name: str) -> Callable[..., dict[str, Any]]:
    """The step's function; imported late, because Spark and models are heavy."""
    attribute = name.replace("-", "_")
    step: Callable[..., dict[str, Any]] = getattr(import_module(f"finlake.pipelines.{attribute}"), attribute)
    return step
