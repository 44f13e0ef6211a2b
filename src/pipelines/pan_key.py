"""Where the key for card numbers comes from, and the check that it is still the same one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from finlake.contracts.pan import fingerprint
from finlake.errors import ConfigError
from finlake.pipelines.step import Step
from finlake.workspace.secrets import secret

_KEYS = "key string, fingerprint string, first_used_at timestamp"


def pan_key(step: Step) -> bytes:
    """The key that `pan_key` of the target refers to; on a laptop without it, a random one kept in the lake.

    Raises:
        ConfigError: no key, or not the key this lake's tokens were made with.
    """
    reference = step.config.target.pan_key
    kind, _, name = reference.partition(":")
    if kind == "secret":
        key = secret(*name.split("/", 1)).encode()
    else:
        key = os.environ.get(name, "").encode() or _own_key(step, name)
    _same_as_before(step, key, reference)
    return key


def _own_key(step: Step, name: str) -> bytes:
    if step.lake.root is None:
        raise ConfigError(f"the environment variable {name} is not set; it must hold the key for card numbers")
    path = step.lake.root / ".private" / "pan_key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _write_once(path, secrets.token_hex(32))
        step.say(f"made a random key for card numbers at {path}; whoever has it can test guesses, so keep it private")
    return path.read_text("ascii").strip().encode()


def _write_once(path: Path, text: str) -> None:
    """Complete or not there at all, readable by its owner only."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _same_as_before(step: Step, key: bytes, reference: str) -> None:
    seen = fingerprint(key)
    if step.lake.exists("ops.keys"):
        known = [row["fingerprint"] for row in step.lake.read("ops.keys").where("key = 'pan'").collect()]
        if seen in known:
            return
        if known:
            raise ConfigError(
                f"the key that {reference} gives is not the one this lake's card numbers were tokenised with "
                f"(fingerprint {seen}, lake {known[0]}); tokens of old and new rows would not match. "
                "Set the earlier key again"
            )
    row = step.lake.spark.createDataFrame([("pan", seen, step.now)], _KEYS)
    step.lake.append("ops.keys", row, about="which keys this lake's tokens were made with")
