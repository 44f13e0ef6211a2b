"""Which Java is taken. The launchers are real scripts that answer like Java does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from finlake.errors import SetupError
from finlake.lakehouse import jvm
from finlake.lakehouse.cache import cache_dir, write_atomically


def fake_java(folder: Path, version: str, settings: bool = True) -> Path:
    """A home whose launcher says it is this version."""
    launcher = folder / "bin" / "java"
    home = f"echo '    java.home = {folder}' >&2\n" if settings else ""
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f"#!/bin/sh\n{home}echo 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    launcher.chmod(0o755)
    return launcher


def test_versions_17_and_21_are_taken_and_11_and_25_passed_over(tmp_path: Path) -> None:
    launchers = {v: fake_java(tmp_path / v, v) for v in ("1.8.0_392", "11.0.21", "25", "21.0.8", "17.0.15")}
    found, refused = jvm._search((f"place {v}", path) for v, path in launchers.items())
    assert found == jvm.Java(tmp_path / "21.0.8", 21, "place 21.0.8")
    assert [text.rpartition(" ")[2] for text in refused] == ["8", "11", "25"]
    found, _ = jvm._search([("PATH", launchers["17.0.15"])])
    assert found is not None
    assert found.version == 17


def test_a_launcher_far_from_its_home_is_asked_where_home_is(tmp_path: Path) -> None:
    real = fake_java(tmp_path / "jdk", "17.0.15")
    shim = tmp_path / "shims" / "java"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    shim.chmod(0o755)
    found, _ = jvm._search([("PATH", shim)])
    assert found is not None
    assert found.home == tmp_path / "jdk"


def test_a_java_home_inherited_from_a_process_on_the_wheel_is_not_taken_for_a_system_java(tmp_path: Path) -> None:
    inner = fake_java(tmp_path / "wheel", "21.0.8")
    launcher = write_atomically(tmp_path / "cache" / "bin" / "java", jvm.shim(inner), 0o755)
    assert jvm._search([("JAVA_HOME", launcher)], wheel=inner) == (None, [])


def test_a_launcher_that_only_names_its_version_is_at_home_above_bin(tmp_path: Path) -> None:
    found, _ = jvm._search([("PATH", fake_java(tmp_path / "jdk", "21", settings=False))])
    assert found is not None
    assert found.executable == tmp_path / "jdk" / "bin" / "java"


def test_a_java_home_that_does_not_start_is_named_in_the_refusals(tmp_path: Path) -> None:
    broken = tmp_path / "gone" / "bin" / "java"
    found, refused = jvm._search([("JAVA_HOME", broken)])
    assert found is None
    assert refused == [f"{broken} (JAVA_HOME) does not start"]


def test_the_same_java_found_twice_is_looked_at_once(tmp_path: Path) -> None:
    old = fake_java(tmp_path / "11", "11.0.2")
    _, refused = jvm._search([("JAVA_HOME", old), ("PATH", old)])
    assert len(refused) == 1


def test_the_machine_running_the_tests_has_a_java_that_starts() -> None:
    java = jvm.find_java()
    assert java.version in jvm.SUPPORTED
    setup = jvm.prepare_jvm()
    run = subprocess.run(
        [java.executable, "--add-modules=jdk.incubator.vector", "-version"],
        env={**os.environ, **setup.env},
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_the_launcher_of_the_wheel_drops_the_missing_module_and_keeps_blanks(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.write_text('#!/bin/sh\nfor a do echo "<$a>"; done\n')
    inner.chmod(0o755)
    shim = write_atomically(tmp_path / "home" / "bin" / "java", jvm.shim(inner), 0o755)
    run = subprocess.run(
        [shim, "-cp", "a b", "--add-modules=jdk.incubator.vector", "", "*"], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == ["<-cp>", "<a b>", "<>", "<*>"]


def test_the_trust_store_holds_the_bundle_and_skips_what_is_no_certificate(tmp_path: Path) -> None:
    import certifi

    text = Path(certifi.where()).read_bytes()
    authorities = text.count(b"BEGIN CERTIFICATE")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(text + b"-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n")
    store = jvm.trust_store(bundle, tmp_path)
    assert store is not None
    from cryptography.hazmat.primitives.serialization import pkcs12

    loaded = pkcs12.load_pkcs12(store.read_bytes(), b"changeit")
    assert len(loaded.additional_certs) == authorities
    assert jvm.trust_store(bundle, tmp_path) == store
    bundle.write_text("nothing in here")
    assert jvm.trust_store(bundle, tmp_path) is None


def test_a_cache_that_cannot_be_made_says_which_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FINLAKE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(SetupError, match="FINLAKE_CACHE"):
        cache_dir()
    monkeypatch.setenv("FINLAKE_CACHE", str(tmp_path / "made"))
    assert cache_dir() == tmp_path / "made"


def test_an_atomic_write_leaves_equal_content_alone_and_no_scraps(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "a", b"x")
    before = path.stat().st_mtime_ns, path.stat().st_ino
    write_atomically(path, b"x")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    write_atomically(path, b"y", 0o755)
    assert path.read_bytes() == b"y"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
