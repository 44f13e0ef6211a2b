"""Schemas of the tables that training and promotion write."""

from __future__ import annotations

MODELS = (
    "use_case string, model string, version string, digest string, run_id string, mlflow_run string, metrics "
    "map<string,double>, tables map<string,bigint>, definition string, training_digest string, features "
    "array<string>, champion_compared string, evaluation string, as_of timestamp, status string, alias string, "
    "reasons array<string>, trained_at timestamp, judged_at timestamp, study string"
)
TRIALS = (
    "run_id string, use_case string, study string, trial int, params map<string,double>, metric double, rounds "
    "int, seconds double, status string, mlflow_run string, finished_at timestamp, engine string, curve array<double>, "
    "folds array<double>"
)
TEST_READS = (
    "run_id string, use_case string, model_digest string, tested_from date, tested_until date, rows bigint, "
    "read_at timestamp"
)
GATES = (
    "run_id string, use_case string, version string, gate string, passed boolean, reason string, value double, "
    "low double, high double, judged_at timestamp"
)
PROMOTIONS = (
    "use_case string, version string, alias string, before string, action string, by string, reason string, "
    "at timestamp, run_id string"
)
MODELS_ABOUT = "One row for each model version: what it is, how it did on its test, and whether it may decide."
TRIALS_ABOUT = "One row for each trial of a search, written as it finishes; a search that was stopped uses them again."
TEST_READS_ABOUT = (
    "Every time a model was measured on a test period; many reads of one period make its figures too good."
)
GATES_ABOUT = "Every verdict on a model version, with the interval it was judged on."
PROMOTIONS_ABOUT = "Every move of champion and challenger, every approval and its withdrawal, with who and why."
