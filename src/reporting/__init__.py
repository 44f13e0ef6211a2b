"""The offline HTML site: the morning, queues, models, data, features and runs."""

from finlake.reporting.report import build_report

__all__ = ["build_report"]
