"""What decisions are answered from at once: the online store."""

from finlake.serving.live import Answer, OnlineFeatures, open_features
from finlake.serving.open import open_store
from finlake.serving.store import Column, OnlineStore, Publication, Served, Table

__all__ = [
    "Answer", "Column", "OnlineFeatures", "OnlineStore", "Publication", "Served", "Table", "open_features", "open_store",
]  # fmt: skip
