"""Schemas and words of the tables that the statistics of features are kept in."""

from __future__ import annotations

PROFILES, FINDINGS = "ops.feature_profiles", "ops.feature_findings"
PROFILES_ABOUT = "Statistics of every feature in every complete period; one row changes only when its period's data do."
PROFILES_NOTES = {
    "definition": "digest of the feature definitions",
    "unknown": "share of rows whose value is unknown",
    "zeros": "share of zeros among known values",
    "quantiles": "at 1, 5, 25, 50, 75, 95 and 99 per cent of known values",
    "edges": "upper ends of the histogram's bins; the last bin has none",
    "counts": "rows in each bin; the last number is those that are unknown",
    "base": "periods that the edges were laid on: those of the champion's training, or the first ones",
    "content": "changes when any value of the period does",
    "feature_version": "version of the feature table it was computed from",
}
FINDINGS_COLUMNS = (
    "use_case string, definition string, feature string, period string, period_start date, kind string, effect string, "
    "value double, `limit` double, text string, blocking boolean, as_of timestamp"
)
FINDINGS_ABOUT = (
    "Features that drifted or are not as their definition expects; blocking ones stop an online publication."
)
