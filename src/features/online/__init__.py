"""Features on rows in memory, one at a time; no Spark."""
