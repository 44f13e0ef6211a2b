"""Every error finlake raises on purpose: what is wrong, the value seen, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FinlakeError(Exception):
    """Base of all errors a user can act on; printed as one message, exit code 2."""


class ConfigError(FinlakeError):
    """A file under conf/ is wrong."""


class UnknownNameError(ConfigError):
    """A name that nothing defines; carries the nearest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        self.kind, self.name = kind, name
        place = f" in {where}" if where else ""
        super().__init__(f"unknown {kind} {name!r}{place}{suggestion(name, known)}")


class SetupError(FinlakeError):
    """The machine lacks something: Java, jars, disk, a package."""


class TableError(FinlakeError):
    """A table is missing, or is not what the step needs."""


class InputError(FinlakeError):
    """A received file cannot be read as its contract says."""


class ContractError(FinlakeError):
    """A batch breaks its contract so badly that the step stops."""


class FreshnessError(FinlakeError):
    """Green and empty is red: no file, stale data or too few rows."""


class LeakageError(FinlakeError):
    """A feature knows what was not known at the moment of the decision."""


class FeatureError(FinlakeError):
    """A Python function of a feature failed, or gave something else than a number for each row."""


class ParityError(FinlakeError):
    """Two executions of one definition give different values."""


class TrainingError(FinlakeError):
    """The training data or the environment does not allow a sound fit."""


class JobError(FinlakeError):
    """A job file is wrong, or a task of it failed."""


class BusyError(FinlakeError):
    """Another process holds the lock of this writing step."""


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """At most three known names that `name` may have meant, the nearest first."""
    return difflib.get_close_matches(name, sorted(set(known)), n=3, cutoff=0.6)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, else an empty string."""
    near = near_names(name, known)
    return "; did you mean " + " or ".join(repr(n) for n in near) + "?" if near else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """What was probably meant, else a list of what there is."""
    names = sorted(set(known))
    if near := nearest(name, names):
        return near
    if not names:
        return "; none are defined"
    shown = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
    return f"; there are: {shown}"
