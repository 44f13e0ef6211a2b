"""Taiwan, German credit and bank marketing: settings fixed beforehand, nothing is chosen by a score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.scoreboard.board import Reads, Result, Say
from benchmarks.scoreboard.boosted import RISK, Setting, boosted, drawn
from finlake.models.bootstrap import Estimate, day_weights, estimate

SEED, BLOCKS = 7, 64
SETTING = Setting(depth=3, rate=0.05, rounds=300, child=10, rows=0.8, columns=0.5, ridge=5, seeds=3)
SMALL = Setting(depth=2, rate=0.05, rounds=200, child=5, rows=0.7, columns=0.3, ridge=5, seeds=5)


def results(data: Path, reads: Reads, say: Say) -> list[Result]:
    """One row a file."""
    return [_taiwan(data, reads, say), _german(data, reads, say), _bank(data, reads, say)]


def _taiwan(data: Path, reads: Reads, say: Say) -> Result:
    table = pd.read_csv(data / "credit" / "taiwan_default_UCI_Credit_Card.csv.gz")
    label = table.pop("default.payment.next.month").to_numpy("float32")
    matrix = table.drop(columns="ID").to_numpy("float32")
    score = _out_of_fold(matrix, label, SETTING, 5)
    return _row("Taiwan default", "5-fold cross-validation", score, label, _random_blocks(len(label)), SETTING, {"ROC AUC": 0.78},
                reads, say)  # fmt: skip


def _german(data: Path, reads: Reads, say: Say) -> Result:
    table = pd.read_csv(data / "credit" / "german.data.gz", sep=r"\s+", header=None).add_prefix("c")
    label = (table.pop("c20") == 2).to_numpy("float32")
    score = _out_of_fold(pd.get_dummies(table).to_numpy("float32"), label, SMALL, 10)
    return _row(
        "German credit", "10-fold cross-validation", score, label, _random_blocks(len(label)), SMALL, {}, reads, say
    )


def _bank(data: Path, reads: Reads, say: Say) -> Result:
    """In order of date; `duration` is known only after the call and left out."""
    table = pd.read_csv(data / "collections" / "uci_bank-additional-full.csv.gz", sep=";")
    label = (table.pop("y") == "yes").to_numpy("float32")
    matrix = pd.get_dummies(table.drop(columns="duration")).to_numpy("float32")
    cut = int(0.7 * len(label))
    score = boosted(matrix[:cut], label[:cut], SETTING)(matrix[cut:])
    blocks = np.arange(len(label) - cut) * BLOCKS // (len(label) - cut)
    return _row("Bank marketing", "first 70% → last 30%, without duration", score, label[cut:], blocks, SETTING, {"ROC AUC": 0.622},
                reads, say)  # fmt: skip


def _out_of_fold(matrix: np.ndarray, label: np.ndarray, setting: Setting, folds: int) -> np.ndarray:
    """Log odds of each row by a model that did not see it; positives are spread evenly."""
    from sklearn.model_selection import StratifiedKFold

    score = np.zeros(len(label))
    for train, held in StratifiedKFold(folds, shuffle=True, random_state=SEED).split(matrix, label):
        score[held] = boosted(matrix[train], label[train], setting)(matrix[held])
    return score


def _random_blocks(rows: int) -> np.ndarray:
    return np.random.default_rng(SEED).permutation(rows) % BLOCKS


def _row(
    data: str, protocol: str, score: np.ndarray, label: np.ndarray, blocks: np.ndarray, setting: Setting,
    published: dict[str, float], reads: Reads, say: Say,
) -> Result:  # fmt: skip
    count = reads.count(data)
    weights = day_weights(BLOCKS, SEED)
    found: dict[str, Estimate] = {
        name: estimate(values) for name, values in drawn(score, label, blocks, weights, RISK).items()
    }
    say(f"{data}: " + ", ".join(f"{name} {one.text(4)}" for name, one in found.items()))
    return Result(data, protocol, found, f"{setting}; fixed beforehand", published, test_reads=count)
