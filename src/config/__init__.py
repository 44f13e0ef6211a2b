"""Everything people write in conf/, as strict models."""

from finlake.config.base import Clock, Duration
from finlake.config.features import Feature, FeatureGroup
from finlake.config.load import Config, Problem, load, survey
from finlake.config.mart import Mart
from finlake.config.network import Network
from finlake.config.source import Column, Expectation, Source
from finlake.config.target import Target
from finlake.config.use_case import UseCase

__all__ = [
    "Clock", "Column", "Config", "Duration", "Expectation", "Feature", "FeatureGroup", "Mart", "Network", "Problem",
    "Source", "Target", "UseCase", "load", "survey",
]  # fmt: skip
