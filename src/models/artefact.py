"""A model as files: the booster, and a card with all that is needed to score, explain and trace it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finlake.models.served import BOOSTER, CARD, Scorer


@dataclass(frozen=True)
class Card:
    """What the booster itself does not say. Plain values only: it is stored as JSON."""

    use_case: str
    features: list[str]
    rounds: int
    digest: str
    calibration: dict[str, Any]
    policy: dict[str, Any]
    parameters: dict[str, float]
    usual: dict[str, float | None]
    definition: str = ""
    as_of: str = ""
    tables: dict[str, int] = field(default_factory=dict)
    split: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Artefact:
    booster: bytes
    card: Card

    def save(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BOOSTER).write_bytes(self.booster)
        (folder / CARD).write_text(json.dumps(asdict(self.card), indent=1, sort_keys=True) + "\n", "utf-8")
        return folder

    @classmethod
    def load(cls, folder: Path) -> Artefact:
        return cls((folder / BOOSTER).read_bytes(), Card(**json.loads((folder / CARD).read_text("utf-8"))))

    def scorer(self) -> Scorer:
        return Scorer(self.booster, asdict(self.card))
