"""Schemas of the operational tables, in one place."""

from __future__ import annotations

RUNS = (
    "run_id string, job_run_id string, job string, task string, step string, arguments string, status string, "
    "started_at timestamp, ended_at timestamp, seconds double, error string, warnings array<string>, "
    "reads map<string,bigint>, writes map<string,bigint>, digests map<string,string>, git_commit string, "
    "wheel_version string, conf_digest string, values_json string"
)
FIGURES = (
    "run_id string, use_case string, figure string, value double, low double, high double, unit string, text string, "
    "tables map<string,bigint>, recorded_at timestamp, as_of timestamp"
)
FILES = (
    "source string, file string, file_digest string, batch string, bytes bigint, rows bigint, status string, reason string, "
    "header array<string>, new_columns array<string>, missing_columns array<string>, modified_at timestamp, "
    "arrived_at timestamp"
)
FRESHNESS = (
    "source string, checked_at timestamp, due_at timestamp, last_arrival timestamp, rows bigint, verdict string, "
    "reason string"
)
BATCHES = (
    "source string, batch string, received bigint, silver bigint, superseded bigint, duplicate bigint, quarantined bigint, "
    "adds_up boolean, contract string, status string, reason string, refined_at timestamp, run_id string, layout string"
)
QUALITY = (
    "source string, batch string, rule string, expectation string, columns array<string>, severity string, checked bigint, "
    "failed bigint, mostly double, passed boolean, observed string, reason string, "
    "contract string, measured_at timestamp, run_id string"
)
SERVED = (
    "use_case string, decision_key string, event_ts timestamp, served_at timestamp, known_until timestamp, "
    "definition string, values map<string,double>, store string, number bigint, moved_at timestamp"
)
NETWORKS = "network string, as_of timestamp, definition string, rows bigint, built_at timestamp, run_id string"
DUPLICATES = "source string, batch string, _row_id string, of_row_id string, same_values boolean"
