"""Functions that people write in Python: how a `python` feature finds its function and calls it. No Spark here."""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.abc import ExecutionLoader
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from importlib.util import module_from_spec
from inspect import getsource, isfunction, unwrap
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from finlake.config.features import PythonFunction
from finlake.errors import ConfigError, FeatureError, FinlakeError, UnknownNameError
from finlake.features.python_results import Doubles, numbers

Function = Callable[..., Any]
Values = Sequence[Any] | pd.Series


@dataclass(frozen=True)
class PythonCall:
    """The function of one feature and the kinds of its arguments.

    It holds the module's text, not the function: it travels to workers that have neither conf/ nor the module.

    Args:
        feature: its name in messages.
        function: what is called.
        text: of the module in conf/python; None where the module is installed.
        kinds: number, boolean or text, one for each argument.
    """

    feature: str
    function: PythonFunction
    text: str | None
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"feature {self.feature}: {self.function.call}:"

    def answer(self, *columns: Values) -> Doubles:
        """The feature's values, a double for each row; NaN is unknown, and so is what the function makes infinite.

        Args:
            columns: one for each argument, of one length; None and NaN are unknown.

        Raises:
            FeatureError: the function raises, does not give one number for each row, or is not to be found here.
        """
        if not len(columns[0]):
            return np.empty(0)
        given = [_argument(values, kind) for values, kind in zip(columns, self.kinds, strict=True)]
        try:
            function = find(self.function, {} if self.text is None else {self.function.module: self.text})
            with np.errstate(all="ignore"):
                return numbers(function(*given), len(columns[0]))
        except FinlakeError as error:
            raise FeatureError(f"{self} {error}") from error
        except Exception as error:
            place = _place(error, self.function.module)
            raise FeatureError(f"{self} raised {type(error).__name__}{place}: {error}") from error

    def of_one(self, values: Sequence[Any]) -> float | None:
        """The same for one row; None is unknown."""
        made = float(self.answer(*([value] for value in values))[0])
        return None if np.isnan(made) else made


def find(function: PythonFunction, modules: Mapping[str, str]) -> Function:
    """The function itself.

    Args:
        function: its name.
        modules: texts of the modules in conf/python, which go before installed ones.

    Raises:
        UnknownNameError: there is no such module, or no such function in it.
        ConfigError: the module cannot be imported, or what has that name is no Python function.
    """
    name = function.module
    module = _of_text(name, modules[name]) if name in modules else _installed(name, modules)
    made = getattr(module, function.function, None)
    if made is None:
        known = [each for each, value in vars(module).items() if isfunction(value)]
        raise UnknownNameError("function", function.function, known, f"module {name}")
    if not isfunction(unwrap(made)):
        raise ConfigError(f"{function.call} is of type {type(made).__name__}; write a Python function that uses it")
    return made


def meaning(function: PythonFunction, modules: Mapping[str, str]) -> dict[str, str]:
    """What decides the values of the function: its module's text, or its own and the version of its package.

    Raises:
        ConfigError: there is no such function.
    """
    if function.module in modules:
        return {"text": modules[function.module]}
    made, package = find(function, modules), function.module.partition(".")[0]
    try:
        text = getsource(made)
    except OSError:  # a package without its sources
        text = ""
    return {"text": text, "versions": ", ".join(f"{name} {version(name)}" for name in _distributions(package))}


class _Text(ExecutionLoader):
    """Makes a module of its text; tracebacks show the file of conf/python."""

    def __init__(self, name: str, text: str) -> None:
        self._path, self._text = _file(name), text

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_source(self, fullname: str) -> str:
        return self._text

    def is_package(self, fullname: str) -> bool:
        return False


@lru_cache(maxsize=256)
def _of_text(name: str, text: str) -> ModuleType:
    """A module of conf/python, under a name of its own: it hides no other module, and another text is another module."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    loader, own_name = _Text(name, text), f"conf_python_{name.replace('.', '_')}_{digest}"
    module = module_from_spec(ModuleSpec(own_name, loader, origin=_file(name)))
    sys.modules[own_name] = module  # dataclasses look their module up
    try:
        loader.exec_module(module)
    except Exception as error:
        del sys.modules[own_name]
        raise ConfigError(_import_failure(name, error)) from error
    return module


def _installed(name: str, modules: Mapping[str, str]) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise UnknownNameError("module", name, modules, "conf/python and the installed packages") from error
        raise ConfigError(_import_failure(name, error)) from error
    except Exception as error:
        raise ConfigError(_import_failure(name, error)) from error


def _import_failure(name: str, error: Exception) -> str:
    if isinstance(error, SyntaxError) and error.filename == _file(name):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    advice = "; a module of conf/python can import installed packages, and none of its neighbours"
    shown = advice if isinstance(error, ImportError) and _place(error, name) else ""
    return f"module {name} cannot be imported: {type(error).__name__}{_place(error, name)}: {error}{shown}"


@lru_cache(maxsize=64)
def _distributions(package: str) -> tuple[str, ...]:
    return tuple(sorted(set(packages_distributions().get(package, ()))))


def _place(error: BaseException, module: str) -> str:
    """` (file:line)` where the error came out of the module's own text."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _file(module)]
    return f" ({_file(module)}:{lines[-1]})" if lines else ""


def _file(module: str) -> str:
    return f"conf/python/{module.replace('.', '/')}.py"


def _argument(values: Values, kind: str) -> pd.Series[Any]:
    """What a function is given: doubles with NaN, texts with None; always a copy that it may change."""
    if kind == "text":
        return pd.Series([value if isinstance(value, str) else None for value in values], dtype="object")
    made = np.array(values, dtype="float64")
    made[~np.isfinite(made)] = np.nan
    return pd.Series(made)
