"""The compose files and the ``Containerfile``, as far as they can be judged without Docker."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from penstock.cli.root import root
from penstock.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = ("compose.yaml", "compose.cluster.yaml")
_SECRETS = {
    "compose.yaml": {"POSTGRES_PASSWORD", "S3_SECRET_KEY"},
    "compose.cluster.yaml": {"POSTGRES_PASSWORD", "PENSTOCK_CLUSTER_SECRET"},
}
_PORTS = {"compose.yaml": "PENSTOCK_PORT", "compose.cluster.yaml": "GATEWAY_PORT"}
_PUBLISHED = {"compose.yaml": "penstock", "compose.cluster.yaml": "gateway"}
# https://docs.docker.com/reference/compose-file/services/: those that are used here.
_KEYS_OF_SERVICES = {
    *("build", "cap_drop", "command", "configs", "depends_on", "environment", "healthcheck"),
    *("image", "networks", "ports", "read_only", "restart", "security_opt", "stop_grace_period"),
    *("tmpfs", "volumes"),
}
_KEYS_OF_HEALTHCHECKS = {"interval", "retries", "start_period", "test", "timeout"}
_DURATION = re.compile(r"\d+(ms|s|m|h)")

Services = dict[str, dict[str, Any]]


@pytest.fixture(params=FILES)
def name(request: pytest.FixtureRequest) -> str:
    """Of a compose file."""
    found: str = request.param
    return found


@pytest.fixture
def compose(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text())
    return document


@pytest.fixture
def services(compose: dict[str, Any]) -> Services:
    found: Services = compose["services"]
    return found


def ours(services: Services) -> Services:
    """Those that run a command of Penstock."""
    return {
        name: one for name, one in services.items() if one.get("command", [""])[0] == "penstock"
    }


def lasting(services: Services) -> Services:
    """Those that are to run on."""
    return {name: one for name, one in services.items() if one["restart"] != "no"}


def test_there_is_what_the_file_promises() -> None:
    plain, cluster = (yaml.safe_load((DEPLOY / name).read_text())["services"] for name in FILES)

    assert set(plain) == {"penstock", "postgres", "s3", "bucket"}
    assert set(cluster) == {"gateway", "postgres", *(f"node{number}" for number in range(1, 7))}
    assert cluster["gateway"]["environment"]["PENSTOCK_CLUSTER_MIN_NODES"] == "6"


def test_docker_understands_it(name: str) -> None:
    docker = shutil.which("docker")
    command = [docker or "docker", "compose"]
    if docker is None or subprocess.run([*command, "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    given = {name: "x" for names in _SECRETS.values() for name in names}

    ran = subprocess.run(
        [*command, "-f", DEPLOY / name, "config", "--quiet"],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
    )

    assert (ran.returncode, ran.stderr) == (0, "")


def test_it_says_only_what_the_format_knows(compose: dict[str, Any], services: Services) -> None:
    top = {name for name in compose if not name.startswith("x-")}
    assert top - {"configs"} == {"name", "services", "networks", "volumes"}
    for service in services.values():
        assert set(service) <= _KEYS_OF_SERVICES
        assert set(service["networks"]) <= set(compose["networks"])
        assert set(service.get("depends_on", {})) <= set(services)
        used = {one["source"] for one in service.get("configs", [])}
        assert used <= set(compose.get("configs", {}))
    for service in lasting(services).values():
        assert set(service["healthcheck"]) <= _KEYS_OF_HEALTHCHECKS
        for name in ("interval", "timeout", "start_period"):
            assert _DURATION.fullmatch(service["healthcheck"][name])
        assert _DURATION.fullmatch(service["stop_grace_period"])


def test_every_image_of_others_is_one_version() -> None:
    texts = [(DEPLOY / name).read_text() for name in FILES]
    images = set(re.findall(r"image: (\S+)", "".join(texts))) - {"penstock"}

    assert images
    assert all(re.search(r":\d+\.\d+$", image) for image in images)


def test_every_variable_is_a_setting(services: Services) -> None:
    settings = {f"PENSTOCK_{name.upper()}" for name in Settings.model_fields}

    for service in ours(services).values():
        assert set(service["environment"]) <= settings


def test_every_command_and_each_of_its_options_exists(services: Services) -> None:
    assert ours(services)
    for service in ours(services).values():
        _, name, *arguments = service["command"]
        command = root.get_command(click.Context(root), name)
        assert command is not None
        # Refuses options that there are not, and values that cannot be.
        command.make_context(name, [str(word) for word in arguments])


def test_everything_that_is_kept_is_in_a_volume_of_its_own(
    compose: dict[str, Any], services: Services
) -> None:
    kept = [volume for service in services.values() for volume in service.get("volumes", [])]

    names = [volume.partition(":")[0] for volume in kept]
    assert sorted(names) == sorted(compose["volumes"])
    for service in ours(services).values():
        assert service["volumes"][0].endswith(":/data")


def test_only_one_is_published_and_on_loopback_alone(
    name: str, compose: dict[str, Any], services: Services
) -> None:
    published = {name: one["ports"] for name, one in services.items() if "ports" in one}

    assert list(published) == [_PUBLISHED[name]]
    [port] = published[_PUBLISHED[name]]
    assert port.startswith("127.0.0.1:")
    inside = [name for name, one in services.items() if one["networks"] == ["inside"]]
    assert compose["networks"]["inside"]["internal"] is True
    assert set(inside) == set(services) - {_PUBLISHED[name]}


def test_no_secret_has_a_default_and_each_is_in_the_example(name: str) -> None:
    text = (DEPLOY / name).read_text()
    lines = (DEPLOY / "env.example").read_text().splitlines()
    given = dict(line.split("=") for line in lines if line and not line.startswith("#"))

    used = re.findall(r"\$\{(\w+)(.*?)\}", text)

    assert {name for name, _ in used} == {*_SECRETS[name], _PORTS[name]}
    assert all(rest.startswith(":?") for one, rest in used if one in _SECRETS[name])
    assert set(given) == set().union(*_SECRETS.values(), _PORTS.values())
    assert {given[secret] for secret in _SECRETS[name]} == {""}
    assert given[_PORTS[name]] == "8080"


def test_every_process_of_ours_says_how_it_is(services: Services) -> None:
    for service in ours(services).values():
        kind, program, flag, code = service["healthcheck"]["test"]
        assert (kind, program, flag) == ("CMD", "python", "-c")
        compile(code, "healthcheck", "exec")
        port = service["command"][service["command"].index("--port") + 1]
        path = "health" if service["command"][1] == "node" else "readyz"
        assert f":{port}/{path}'" in code


def test_the_bucket_is_the_one_that_files_are_kept_in_and_its_keys_are_the_same() -> None:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = document["services"]
    program, flag, code = services["bucket"]["command"]
    compile(code, "bucket", "exec")
    server, makes = services["penstock"]["environment"], services["bucket"]["environment"]
    [identity] = json.loads(document["configs"]["s3"]["content"])["identities"]
    [keys] = identity["credentials"]

    assert (program, flag) == ("python", "-c")
    assert server["PENSTOCK_STORE"] == "s3://penstock"
    assert 'Bucket="penstock"' in code
    assert server["PENSTOCK_S3_ENDPOINT"] == makes["AWS_ENDPOINT_URL"] == "http://s3:8333"
    assert server["PENSTOCK_S3_ACCESS_KEY"] == makes["AWS_ACCESS_KEY_ID"] == keys["accessKey"]
    assert server["PENSTOCK_S3_SECRET_KEY"] == makes["AWS_SECRET_ACCESS_KEY"] == keys["secretKey"]


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
