"""Delta's jars: from a folder, from the cache, or resolved once by the Ivy that pyspark ships.

Spark would resolve them itself (`spark.jars.packages`) at each start, and fails on machines with a half-filled Maven
cache. Here Ivy runs once, with a private cache and one resolver, into a folder that is renamed when it is complete.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import zipfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from filelock import FileLock, Timeout

from finlake.errors import SetupError
from finlake.lakehouse.cache import cache_dir
from finlake.lakehouse.jvm import find_java, prepare_jvm, trust_options

_MANIFEST = "manifest.json"
# What every Delta release consists of; Ivy finds what else a release needs.
_NEEDED = ("delta-spark_{spark}_{scala}-{delta}.jar", "delta-storage-{delta}.jar", "delta-kernel-api-{delta}.jar")
# pyspark carries these itself; a second, older copy in front of them would win.
_SHIPPED = ("org.apache.hadoop", "org.apache.parquet", "org.apache.logging.log4j", "org.slf4j", "org.scala-lang",
            "org.xerial.snappy", "com.github.luben", "commons-logging", "io.airlift", "org.roaringbitmap")  # fmt: skip
_SECONDS = 900


def delta_conf(java_options: list[str]) -> dict[str, str]:
    """Spark settings that put Delta on the class path; resolves the jars the first time.

    Args:
        java_options: JVM options as for Spark; Ivy needs the trust store among them.

    Raises:
        SetupError: the jars are incomplete or cannot be fetched; says what to do.
    """
    return {"spark.driver.extraClassPath": os.pathsep.join(str(jar) for jar in delta_jars(java_options))}


def delta_jars(java_options: list[str] | None = None) -> list[Path]:
    """The jars of the installed delta-spark for the installed pyspark, fetched if need be."""
    versions = _versions()
    folder = os.environ.get("FINLAKE_JARS", "").strip()
    if folder:
        return _from_folder(Path(folder).expanduser().absolute(), versions)
    place = jars_folder()
    jars = _cached(place, versions)
    if jars is not None:
        return jars
    try:
        with FileLock(place.parent / ".lock", timeout=_SECONDS):
            return _cached(place, versions) or _resolve(place, versions, java_options)
    except Timeout as error:
        raise SetupError(f"another process has been resolving jars into {place} for {_SECONDS} s; end it") from error


def jars_folder() -> Path:
    """Where the jars of these versions are cached; copy it to a machine without network and name it in FINLAKE_JARS."""
    place = cache_dir() / "jars" / "delta-{delta}-spark-{spark}-scala-{scala}".format(**_versions())
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def cached_jars() -> list[Path] | None:
    """The jars that a session would use without any download, None if there are none yet."""
    folder = os.environ.get("FINLAKE_JARS", "").strip()
    if folder:
        return _from_folder(Path(folder).expanduser().absolute(), _versions())
    return _cached(jars_folder(), _versions())


def _versions() -> dict[str, str]:
    try:
        spark, delta = metadata.version("pyspark"), metadata.version("delta-spark")
    except metadata.PackageNotFoundError as error:
        raise SetupError(f"{error.name} is not installed; run `make`, or install finlake[local]") from error
    scala = next((_parts(jar)[1] for jar in _spark_jars() if _parts(jar)[0] == "scala-library"), "2.13")
    return {"spark": _minor(spark), "delta": delta, "scala": _minor(scala)}


def _spark_jars() -> list[str]:
    import pyspark

    return sorted(jar.name for jar in (Path(pyspark.__file__).parent / "jars").glob("*.jar"))


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _parts(jar: str) -> tuple[str, str]:
    """`scala-library-2.13.17.jar` -> (`scala-library`, `2.13.17`)."""
    found = re.fullmatch(r"(.+?)-(\d[^-]*(?:-.+)?)\.jar", jar)
    return (found.group(1), found.group(2)) if found else (jar, "")


def _needed(versions: dict[str, str]) -> list[str]:
    return [name.format(**versions) for name in _NEEDED]


def _from_folder(folder: Path, versions: dict[str, str]) -> list[Path]:
    jars = sorted(folder.glob("*.jar"))
    missing = sorted(set(_needed(versions)) - {jar.name for jar in jars})
    if missing:
        raise SetupError(
            f"FINLAKE_JARS={folder} lacks {', '.join(missing)}; on a machine with network run `make doctor` and copy "
            f"all of {_under_cache(versions)} from its cache"
        )
    return jars


def _under_cache(versions: dict[str, str]) -> str:
    return "jars/delta-{delta}-spark-{spark}-scala-{scala}".format(**versions)


def _cached(place: Path, versions: dict[str, str]) -> list[Path] | None:
    """Complete as its manifest says, or None: a jar cut short or deleted is fetched again."""
    try:
        sizes: dict[str, int] = json.loads((place / _MANIFEST).read_text())
        complete = all((place / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return None
    return [place / name for name in sorted(sizes)] if complete and set(_needed(versions)) <= set(sizes) else None


def _resolve(place: Path, versions: dict[str, str], java_options: list[str] | None) -> list[Path]:
    sys.stderr.write(f"resolving Delta {versions['delta']}'s jars once, 13 MB, into {place} …\n")
    sys.stderr.flush()
    for old in place.parent.glob(".resolving-*"):  # of a process that was killed; we hold the lock
        shutil.rmtree(old, ignore_errors=True)
    work = Path(tempfile.mkdtemp(dir=place.parent, prefix=".resolving-"))
    try:
        _ivy(work, versions, java_options)
        shipped = {_parts(jar)[0] for jar in _spark_jars()}
        jars = [jar for jar in sorted((work / "lib").glob("*.jar")) if _parts(jar.name)[0] not in shipped]
        missing = sorted(set(_needed(versions)) - {jar.name for jar in jars if zipfile.is_zipfile(jar)})
        if missing:
            raise SetupError(f"Ivy did not deliver {', '.join(missing)}; {_advice('')}")
        ready = work / "ready"
        ready.mkdir()
        for jar in jars:
            jar.rename(ready / jar.name)
        sizes = {jar.name: (ready / jar.name).stat().st_size for jar in jars}
        (ready / _MANIFEST).write_text(json.dumps(sizes, indent=1))
        if place.exists():
            place.rename(work / "broken")
        ready.rename(place)
        return [place / name for name in sorted(sizes)]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _ivy(work: Path, versions: dict[str, str], java_options: list[str] | None) -> None:
    """Run Ivy; once more with this machine's certificates if its authority is not known to Java."""
    setup = prepare_jvm()
    options = shlex.split(" ".join(setup.java_options if java_options is None else java_options))
    java, command = str(find_java().executable), _ivy_command(work, versions)
    said = _run(java, [*options, *_proxy_options(os.environ)], command, setup.env)
    if said and _distrusts(said) and not any("trustStore=" in option for option in options):
        trusting = shlex.split(" ".join(trust_options()))
        said = _run(java, [*options, *trusting, *_proxy_options(os.environ)], command, setup.env)
    if said is not None:
        raise SetupError(f"Delta's jars could not be fetched: {_last(said)}; {_advice(said)}")


def _ivy_command(work: Path, versions: dict[str, str]) -> list[str]:
    import pyspark

    ivy = sorted((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"))
    if not ivy:
        raise SetupError("this pyspark carries no Ivy; name a folder with Delta's jars in FINLAKE_JARS")
    root = os.environ.get("FINLAKE_MAVEN", "").strip()
    mirror = f' root="{_xml(root)}"' if root else ""
    (work / "settings.xml").write_text(
        '<ivysettings><settings defaultResolver="central"/>'
        f'<caches defaultCacheDir="{_xml(str(work / "ivy"))}"/>'
        f'<resolvers><ibiblio name="central" m2compatible="true"{mirror}/></resolvers></ivysettings>'
    )
    excludes = "".join(f'<exclude org="{org}"/>' for org in _SHIPPED)
    name = "delta-spark_{spark}_{scala}".format(**versions)
    (work / "ivy.xml").write_text(
        '<ivy-module version="2.0"><info organisation="finlake" module="jars"/>'
        '<configurations><conf name="default"/></configurations><dependencies>'
        f'<dependency org="io.delta" name="{name}" rev="{versions["delta"]}" conf="default->default"/>{excludes}'
        "</dependencies></ivy-module>"
    )
    files = ["-settings", str(work / "settings.xml"), "-ivy", str(work / "ivy.xml")]
    wanted = ["-confs", "default", "-types", "jar", "-retrieve", f"{work / 'lib'}/[artifact]-[revision].[ext]"]
    return ["-cp", str(ivy[-1]), "org.apache.ivy.Main", *files, *wanted]


def _run(java: str, options: list[str], command: list[str], env: dict[str, str]) -> str | None:
    """None if Ivy succeeded, else what it said."""
    called = [java, *options, *command]
    try:
        done = subprocess.run(
            called,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            env=os.environ | env,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_SECONDS} s"
    failed = done.returncode != 0 or "UNRESOLVED DEPENDENCIES" in done.stdout or "FAILED DOWNLOADS" in done.stdout
    return done.stdout + done.stderr if failed else None


def _proxy_options(environment: Mapping[str, str]) -> list[str]:
    """Java does not read the proxy variables that pip and curl read."""
    options = []
    for scheme in ("http", "https"):
        value = environment.get(f"{scheme}_proxy") or environment.get(f"{scheme.upper()}_PROXY") or ""
        proxy = urllib.parse.urlsplit(value if "//" in value else f"//{value}")
        if proxy.hostname:
            options.append(f"-D{scheme}.proxyHost={proxy.hostname}")
            options.append(f"-D{scheme}.proxyPort={proxy.port or (443 if proxy.scheme == 'https' else 80)}")
    without = [name.strip().removeprefix("*") for name in _no_proxy(environment).split(",") if name.strip()]
    if options and without:
        options.append("-Dhttp.nonProxyHosts=" + "|".join(f"*{n}" if n.startswith(".") else n or "*" for n in without))
    return options


def _no_proxy(environment: Mapping[str, str]) -> str:
    return environment.get("no_proxy") or environment.get("NO_PROXY") or ""


def _last(said: str) -> str:
    """The line of Ivy's long report that says why."""
    lines = [line.strip(" \t:") for line in said.splitlines() if line.strip(" \t:")]
    return next((line for line in _reasons(lines)), lines[-1] if lines else "Ivy said nothing")


def _reasons(lines: Iterable[str]) -> list[str]:
    words = (
        "PKIX",
        "SSLHandshake",
        "UnknownHost",
        "Connection refused",
        "timed out",
        "not found",
        "no answer",
        "Exception",
    )
    return [line for word in words for line in lines if word in line]


def _distrusts(said: str) -> bool:
    return "PKIX" in said or "certificate" in said.lower()


def _advice(said: str) -> str:
    if _distrusts(said):
        return "a proxy replaces certificates here: set SSL_CERT_FILE to a bundle that holds its authority"
    return (
        "check the network (https_proxy is honoured), or set FINLAKE_MAVEN to your Maven mirror's address, "
        "or FINLAKE_JARS to a folder with the jars"
    )


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
