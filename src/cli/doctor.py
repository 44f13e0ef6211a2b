"""`finlake doctor`: what this machine lacks, each with the command that mends it."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from finlake.cli.options import Options
from finlake.errors import FinlakeError, SetupError

_GIGABYTE = 2**30
_DISK = 4  # GB that the demo's lake, Spark's shuffle files and a report need at most


@dataclass(frozen=True)
class Check:
    """One thing a machine needs: whether it is there, what was found, and the command that mends it."""

    name: str
    ok: bool
    found: str
    fix: str = ""


def run_doctor(options: Options, deep: bool) -> dict[str, Any]:
    """Prints one line for each check and the fix below each that fails; exit code 1 if any does."""
    checks = []
    for look in examinations(deep):
        check = examine(look)
        checks.append(check)
        click.echo(shown(check))
    lacking = [check.name for check in checks if not check.ok]
    if lacking:
        click.echo(f"this machine lacks: {', '.join(lacking)}")
    else:
        click.echo("nothing is lacking" + ("" if deep else "; --deep also starts Spark and writes a table"))
    return {"missing": lacking, "exit_code": 1 if lacking else 0}


def doctor(deep: bool = False) -> list[Check]:
    """All checks, made."""
    return [examine(look) for look in examinations(deep)]


def examinations(deep: bool = False) -> list[Callable[[], Check]]:
    """The checks in the order in which they matter; later ones need earlier ones."""
    looks = [_system, _python, _packages, _java, _jars, _openmp, _zones, _disk, _writable, _loopback]
    return [*looks, _spark] if deep else looks


def examine(look: Callable[[], Check]) -> Check:
    """Makes a check; one that fails in an unexpected way is a missing thing, not a traceback."""
    name = look.__name__.strip("_")
    try:
        return look()
    except FinlakeError as error:
        return Check(name, False, str(error).split(": ", 1)[0], str(error).split(": ", 1)[-1])
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}", "report this with the output of --debug")


def shown(check: Check) -> str:
    """One line, and the fix on a second."""
    line = f"  {'ok     ' if check.ok else 'missing'}  {check.name}: {check.found}"
    return line if check.ok or not check.fix else f"{line}\n           fix: {check.fix}"


def _system() -> Check:
    name = platform.system()
    if sys.platform == "win32":
        return Check("system", False, "native Windows", "wsl --install, then clone and run finlake inside WSL2")
    if sys.platform == "darwin" and platform.machine() != "arm64":
        return Check("system", False, f"macOS on {platform.machine()}", "use Apple silicon or Linux")
    place = "WSL2" if "microsoft" in platform.release().lower() else name
    return Check("system", True, f"{place} on {platform.machine()}, {os.cpu_count()} cores")


def _python() -> Check:
    version = platform.python_version()
    usable = (3, 11) <= sys.version_info[:2] <= (3, 12)
    return Check("Python", usable, f"{version} ({sys.executable})", "make PYTHON=/path/to/python3.12 setup")


def _packages() -> Check:
    wanted = {"pyspark": "4.1.", "delta-spark": "4.4."}
    found = []
    for package, line in wanted.items():
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            return Check("packages", False, f"no {package}", "make setup, or pip install 'finlake[local]'")
        if not version.startswith(line):
            return Check("packages", False, f"{package} {version}, {line}* is needed", "make setup")
        found.append(f"{package} {version}")
    return Check("packages", True, ", ".join(found))


def _java() -> Check:
    from finlake.lakehouse.jvm import find_java

    java = find_java()
    return Check("Java", True, f"{java.version} from {java.source} ({java.home})")


def _jars() -> Check:
    from finlake.lakehouse.jars import delta_jars
    from finlake.lakehouse.jvm import prepare_jvm

    jars = delta_jars(prepare_jvm().java_options)
    return Check("Delta's jars", True, f"{len(jars)} in {jars[0].parent}")


def _openmp() -> Check:
    """XGBoost needs the OpenMP library, which macOS does not have."""
    fix = "brew install libomp" if sys.platform == "darwin" else "sudo apt install libgomp1"
    try:
        version = importlib.import_module("xgboost").__version__
    except ImportError:
        return Check("XGBoost", False, "not installed", "make setup")
    except Exception as error:
        return Check("XGBoost", False, str(error).strip().splitlines()[0], fix)
    return Check("XGBoost", True, f"{version}, with OpenMP")


def _zones() -> Check:
    try:
        ZoneInfo("Europe/Vienna")
    except ZoneInfoNotFoundError:
        return Check("time zones", False, "no time zone database", "sudo apt install tzdata")
    return Check("time zones", True, f"database there; TZ={os.environ.get('TZ', '(not set)')}, finlake works in UTC")


def _disk() -> Check:
    places = {place.stat().st_dev: place for place in (Path.cwd(), Path(tempfile.gettempdir()))}
    free = {str(place): shutil.disk_usage(place).free // _GIGABYTE for place in places.values()}
    said = ", ".join(f"{size} GB free in {place}" for place, size in free.items())
    return Check("disk", min(free.values()) >= _DISK, said, f"make {_DISK} GB free, or set TMPDIR to a larger disk")


def _writable() -> Check:
    from finlake.lakehouse.cache import cache_dir

    for folder in (cache_dir(), Path.cwd(), Path(tempfile.gettempdir())):
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"finlake")
    return Check("write access", True, f"{Path.cwd()}, cache {cache_dir()}, temporary {tempfile.gettempdir()}")


def _loopback() -> Check:
    """Spark's two halves talk over it."""
    fix = "allow local connections (sandbox, VPN client or firewall), and keep 127.0.0.1 in /etc/hosts"
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname(), timeout=5):
                return Check("loopback", True, "a port can be bound and reached")
    except OSError as error:
        return Check("loopback", False, str(error), fix)


def _spark() -> Check:
    from finlake.lakehouse.session import open_session

    with tempfile.TemporaryDirectory(prefix="finlake-doctor-") as folder:
        spark = open_session(warehouse=Path(folder))
        path = f"{folder}/table"
        spark.range(1000).write.format("delta").save(path)
        rows = spark.read.format("delta").load(path).count()
        if rows != 1000:
            raise SetupError(f"Spark: wrote 1000 rows and read {rows}")
        version = spark.version
        spark.stop()
    return Check("Spark", True, f"{version} wrote and read a Delta table")
