"""``deploy/compose.yaml`` and ``Containerfile``, as far as they can be judged without Docker."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from penstock.cli.root import root
from penstock.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
_SECRETS = {"PENSTOCK_CLUSTER_SECRET", "POSTGRES_PASSWORD"}
# https://docs.docker.com/reference/compose-file/services/: those that are used here.
_KEYS_OF_SERVICES = {
    *("build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image"),
    *("networks", "ports", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs"),
    "volumes",
}
_KEYS_OF_HEALTHCHECKS = {"interval", "retries", "start_period", "test", "timeout"}
_DURATION = re.compile(r"\d+(ms|s|m|h)")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def ours(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those that run Penstock."""
    return {name: one for name, one in services.items() if one["image"] == "penstock"}


def test_there_are_a_gateway_a_database_and_six_nodes(services: dict[str, Any]) -> None:
    assert set(services) == {"gateway", "postgres", *(f"node{number}" for number in range(1, 7))}
    assert services["gateway"]["environment"]["PENSTOCK_CLUSTER_MIN_NODES"] == "6"


def test_it_says_only_what_the_format_knows(
    compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    top = {name for name in compose if not name.startswith("x-")}
    assert top == {"name", "services", "networks", "volumes"}
    for service in services.values():
        assert set(service) <= _KEYS_OF_SERVICES
        assert set(service["healthcheck"]) <= _KEYS_OF_HEALTHCHECKS
        for name in ("interval", "timeout", "start_period"):
            assert _DURATION.fullmatch(service["healthcheck"][name])
        assert _DURATION.fullmatch(service["stop_grace_period"])
        assert set(service["networks"]) <= set(compose["networks"])
        assert set(service.get("depends_on", {})) <= set(services)


def test_every_variable_is_a_setting(services: dict[str, dict[str, Any]]) -> None:
    settings = {f"PENSTOCK_{name.upper()}" for name in Settings.model_fields}

    for service in ours(services).values():
        assert set(service["environment"]) <= settings


def test_every_command_and_each_of_its_options_exists(
    services: dict[str, dict[str, Any]],
) -> None:
    for service in ours(services).values():
        program, name, *arguments = service["command"]
        command = root.get_command(click.Context(root), name)
        assert program == "penstock"
        assert command is not None
        # Refuses options that there are not, and values that cannot be.
        command.make_context(name, [str(word) for word in arguments])


def test_everything_that_is_kept_is_in_a_volume_of_its_own(
    compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    kept = [volume for service in services.values() for volume in service["volumes"]]

    names = [volume.partition(":")[0] for volume in kept]
    assert sorted(names) == sorted(compose["volumes"])
    for service in ours(services).values():
        assert service["volumes"][0].endswith(":/data")


def test_only_the_gateway_is_published_and_on_loopback_alone(
    compose: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}

    assert list(published) == ["gateway"]
    assert all(port.startswith("127.0.0.1:") for port in published["gateway"])
    inside = [name for name, one in services.items() if one["networks"] == ["inside"]]
    assert compose["networks"]["inside"]["internal"] is True
    assert set(inside) == set(services) - {"gateway"}


def test_no_secret_has_a_default_and_each_is_in_the_example() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    example = (DEPLOY / "env.example").read_text()

    used = re.findall(r"\$\{(\w+)(.*?)\}", text)
    assert {name for name, _ in used} == {*_SECRETS, "GATEWAY_PORT"}
    assert all(rest.startswith(":?") for name, rest in used if name in _SECRETS)
    given = dict(line.split("=") for line in example.splitlines() if not line.startswith("#"))
    assert given == {**dict.fromkeys(_SECRETS, ""), "GATEWAY_PORT": "8080"}


def test_every_process_says_how_it_is(services: dict[str, dict[str, Any]]) -> None:
    for name, path in (("gateway", ":8080/readyz"), ("node1", ":9000/health")):
        kind, program, flag, code = services[name]["healthcheck"]["test"]
        assert (kind, program, flag) == ("CMD", "python", "-c")
        compile(code, name, "exec")
        assert path in code
        port = services[name]["command"][services[name]["command"].index("--port") + 1]
        assert f":{port}/" in code


def test_the_image_is_built_from_what_there_is_and_runs_as_nobody_special() -> None:
    lines = instructions((DEPLOY / "Containerfile").read_text())
    final = lines[max(number for number, (name, _) in enumerate(lines) if name == "FROM") :]

    sources = [
        word
        for name, rest in lines
        if name == "COPY" and "--from" not in rest
        for word in shlex.split(rest)[:-1]
    ]
    assert all((DEPLOY.parent / source).exists() for source in sources)
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert {f"!{source}" for source in sources} <= set(ignored)
    assert [rest for name, rest in lines if name == "FROM"] == [
        "python:3.13-slim AS build",
        "python:3.13-slim",
    ]
    assert ("USER", "penstock") in final
    assert {"STOPSIGNAL", "VOLUME"} <= {name for name, _ in final}
    # It would ask the gateway's port of workers and nodes too.
    assert "HEALTHCHECK" not in {name for name, _ in lines}


def test_without_options_each_command_keeps_its_things_in_the_volume_and_is_reached() -> None:
    lines = instructions((DEPLOY / "Containerfile").read_text())
    said = dict(re.findall(r"(PENSTOCK_\w+)=(\S+)", " ".join(r for n, r in lines if n == "ENV")))
    node = root.get_command(click.Context(root), "node")
    assert node is not None

    volumes = [rest for name, rest in lines if name == "VOLUME"]
    known = {f"PENSTOCK_{name.upper()}" for name in Settings.model_fields}
    known |= {str(parameter.envvar) for parameter in node.params}

    assert set(said) <= known
    for service in ("PENSTOCK", "PENSTOCK_NODE"):
        assert [said[f"{service}_DATA"]] == volumes
        assert said[f"{service}_HOST"] == "0.0.0.0"


def instructions(text: str) -> list[tuple[str, str]]:
    """Name and rest of each instruction, those over several lines joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]
