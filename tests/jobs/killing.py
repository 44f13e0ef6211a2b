"""Kills a command as an operator, the kernel or a spot instance would."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

from tests.jobs.conftest import FINLAKE


def killed(command: list[str], when: Callable[[], bool]) -> bool:
    """Starts the command and kills its process group, JVM included, as soon as `when` holds."""
    process = subprocess.Popen(
        [str(FINLAKE), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None:
        if when():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.005)
    return False
