"""Delta's jars, resolved by the real Ivy from a small Maven repository in a temporary folder."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from finlake.errors import SetupError
from finlake.lakehouse import jars

VERSIONS = jars._versions()
RESOLVE = "from finlake.lakehouse.jars import delta_jars; print(*delta_jars([]), sep='\\n')"


def publish(root: Path, group: str, artifact: str, version: str, needs: tuple[tuple[str, str, str], ...] = ()) -> None:
    folder = root.joinpath(*group.split("."), artifact, version)
    folder.mkdir(parents=True)
    wanted = "".join(
        f"<dependency><groupId>{g}</groupId><artifactId>{a}</artifactId><version>{v}</version></dependency>"
        for g, a, v in needs
    )
    (folder / f"{artifact}-{version}.pom").write_text(
        f"<project><modelVersion>4.0.0</modelVersion><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version><dependencies>{wanted}</dependencies></project>"
    )
    with zipfile.ZipFile(folder / f"{artifact}-{version}.jar", "w") as jar:
        jar.writestr("content.txt", artifact * 100)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Maven repository with a Delta release, and an empty cache."""
    root = tmp_path / "mirror"
    delta = VERSIONS["delta"]
    others = (("io.delta", "delta-storage", delta), ("io.delta", "delta-kernel-api", delta))
    shipped = (("org.apache.hadoop", "hadoop-client-api", "3.4.2"), ("org.codehaus.janino", "janino", "3.0.0"))
    publish(root, "io.delta", "delta-spark_{spark}_{scala}".format(**VERSIONS), delta, (*others, *shipped))
    for other in others:
        publish(root, *other)
    publish(root, *shipped[1])
    monkeypatch.setenv("FINLAKE_MAVEN", root.as_uri())
    monkeypatch.setenv("FINLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FINLAKE_JARS", raising=False)
    return root


def test_two_processes_resolve_once_and_broken_caches_heal(mirror: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", RESOLVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    assert sum("resolving Delta" in said for _, said in answers) == 1
    paths = [Path(line) for line in answers[0][0].splitlines()]
    # What pyspark ships is neither fetched (hadoop is not even in the mirror) nor put in front of Spark's own copy.
    assert [path.name for path in paths] == sorted(jars._needed(VERSIONS))

    before = paths[0].read_bytes()
    paths[0].write_bytes(before[:10])
    (jars.jars_folder().parent / ".resolving-killed").mkdir()
    assert jars.cached_jars() is None
    assert jars.delta_jars([]) == paths
    assert paths[0].read_bytes() == before
    assert not list(jars.jars_folder().parent.glob(".resolving-*"))

    (jars.jars_folder() / "manifest.json").write_text('{"half')
    assert jars.delta_jars([]) == paths
    assert json.loads((jars.jars_folder() / "manifest.json").read_text()).keys() == {path.name for path in paths}


def test_a_mirror_without_delta_is_an_error_that_says_what_can_be_set(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINLAKE_MAVEN", (tmp_path / "empty").as_uri())
    with pytest.raises(SetupError, match=r"not found.*FINLAKE_MAVEN.*FINLAKE_JARS"):
        jars.delta_jars([])
    assert jars.cached_jars() is None


def test_a_folder_of_jars_is_used_as_it_is_and_names_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINLAKE_JARS", str(tmp_path))
    needed = jars._needed(VERSIONS)
    for name in needed[1:]:
        (tmp_path / name).touch()
    with pytest.raises(SetupError, match=needed[0].replace(".", r"\.")) as error:
        jars.delta_conf([])
    assert needed[1] not in str(error.value)
    (tmp_path / needed[0]).touch()
    assert jars.delta_conf([]) == {
        "spark.driver.extraClassPath": ":".join(str(tmp_path / name) for name in sorted(needed))
    }


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, []),
        ({"https_proxy": "http://proxy.bank:3128"}, ["-Dhttps.proxyHost=proxy.bank", "-Dhttps.proxyPort=3128"]),
        ({"HTTP_PROXY": "proxy.bank"}, ["-Dhttp.proxyHost=proxy.bank", "-Dhttp.proxyPort=80"]),
        (
            {"https_proxy": "https://p", "no_proxy": "localhost, .bank"},
            ["-Dhttps.proxyHost=p", "-Dhttps.proxyPort=443", "-Dhttp.nonProxyHosts=localhost|*.bank"],
        ),
    ],
)
def test_java_is_told_the_proxy_that_other_tools_read_themselves(
    environment: dict[str, str], options: list[str]
) -> None:
    assert jars._proxy_options(environment) == options


def test_an_unknown_authority_is_answered_with_the_certificate_variable() -> None:
    assert "SSL_CERT_FILE" in jars._advice("Server access error: PKIX path building failed")
    assert "FINLAKE_MAVEN" in jars._advice("UnknownHostException")
