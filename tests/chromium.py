"""A plugin of tests: a real Chromium without a window, the one that FINLAKE_CHROMIUM names or the system's package.

It is spoken to over a pipe (the DevTools protocol), so nothing beyond the standard library is needed.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fcntl import F_DUPFD, fcntl
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
IN_A_BROWSER = pytest.mark.skipif(
    reason="Chromium cannot be installed here; name its program in FINLAKE_CHROMIUM", condition="no_chromium()"
)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--remote-debugging-pipe",
)  # fmt: skip

# Chromium reads from 3 and writes to 4.
_START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


def pytest_markeval_namespace() -> dict[str, Any]:
    """`IN_A_BROWSER` looks for a browser when a test that needs one is about to run, not before."""
    return {"no_chromium": no_chromium}


def no_chromium() -> bool:
    return program() is None


@functools.cache
def program() -> str | None:
    """Chromium's program; the system's package is installed where that is possible."""
    if (found := _installed()) is not None or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return found
    with FileLock(Path(tempfile.gettempdir()) / "finlake-install-chromium.lock"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (INSTALL, ["apt-get", "update"], INSTALL):
            if _installed() is None:
                subprocess.run(command, env=quiet, capture_output=True, check=False)
    return _installed()


def _installed() -> str | None:
    if given := os.environ.get("FINLAKE_CHROMIUM"):
        return given
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/bin"))  # where the package puts it
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, (shutil.which(name, path=path) for name in names)), None)


@dataclass
class Seen:
    """What happened while a page was loaded."""

    errors: list[str] = field(default_factory=list)  # of the console, of scripts, of the security policy
    requests: list[str] = field(default_factory=list)


class Browser:
    """One page at a time."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self._process, self._write, self._read = process, write, read
        self._number, self._waiting, self._session = 0, b"", ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._seen = Seen()
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def open(self, path: Path, width: int = 1280, height: int = 900, *, dark: bool = False) -> Seen:
        """Loads a file in a window of that size."""
        self._seen = Seen()
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        answer = self._ask("Page.navigate", url=path.as_uri())
        assert "errorText" not in answer, f"{path}: {answer['errorText']}"
        self._until("Page.loadEventFired")
        return self._seen

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, whatever its policy on scripts."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, path: Path, *, whole: bool = True) -> Path:
        """A screenshot as PNG, of the whole page or of the window."""
        answer = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def close(self) -> None:
        self._session = ""
        self._ask("Browser.close")
        self._process.wait(30)

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._number:
                assert "error" not in heard, f"{method}: {heard['error']}"
                answer: dict[str, Any] = heard["result"]
                return answer

    def _until(self, event: str) -> None:
        while self._hear().get("method") != event:
            pass

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            more = os.read(self._read, 1 << 16)
            assert more, "Chromium ended"
            self._waiting += more
        message, _, self._waiting = self._waiting.partition(b"\0")
        heard: dict[str, Any] = json.loads(message)
        self._note(heard.get("method", ""), heard.get("params", {}))
        return heard

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self._seen.errors.append(told["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self._seen.errors.append(str(told["args"]))
        elif method == "Runtime.exceptionThrown":
            self._seen.errors.append(str(told["exceptionDetails"]))
        elif method == "Network.requestWillBeSent":
            self._seen.requests.append(told["request"]["url"])


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a profile of its own, for as long as the block."""
    found = program()
    assert found is not None, "no Chromium; name its program in FINLAKE_CHROMIUM"
    with tempfile.TemporaryDirectory(prefix="chromium", ignore_cleanup_errors=True) as folder:
        (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()
        command = [found, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        ends = [fcntl(end, F_DUPFD, 10) for end in (their_in, their_out)]  # above those they are copied to
        start = [sys.executable, "-c", _START, *map(str, ends), *command]
        process = subprocess.Popen(start, pass_fds=ends, stderr=subprocess.DEVNULL)
        for end in ends:
            os.close(end)
        os.close(their_in)
        os.close(their_out)
        try:
            browser = Browser(process, our_out, our_in)
            yield browser
            browser.close()
        finally:
            process.kill()
            process.wait()
            os.close(our_in)
            os.close(our_out)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found
