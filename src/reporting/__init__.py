"""The offline HTML report: what arrived, what became of it, how good the models are, whom to call."""

from finlake.reporting.report import build_report

__all__ = ["build_report"]
