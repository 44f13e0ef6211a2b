"""Training, evaluation, gates and scoring of models."""

from __future__ import annotations

import os

# Before xgboost loads OpenMP: waiting threads that spin make fits several times slower on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
