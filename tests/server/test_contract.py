"""The server and ``openapi.yaml`` tell one story."""

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

import penstock.server
from penstock.server import build_app
from tests.server.conftest import Api
from tests.serving import RunningServer

CONTRACT = Path(penstock.server.__file__).with_name("openapi.yaml")


def documented() -> set[tuple[str, str]]:
    paths = yaml.safe_load(CONTRACT.read_text())["paths"]
    return {
        (method.upper(), path)
        for path, item in paths.items()
        for method in item
        if method in {"get", "put", "post", "delete", "head", "patch", "options"}
    }


async def test_every_route_is_in_the_contract(api: Api) -> None:
    app = build_app(api.services)
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
    }

    # HEAD goes with every GET; the contract spells it out where it says more.
    heads = {("HEAD", path) for method, path in documented() if method == "GET"}
    assert served == documented() | heads


class GuardedServer(RunningServer):
    """A server that asks for tokens, and tells the first one, which is good for everything."""

    def __init__(self, data: Path, **options: object) -> None:
        super().__init__(data, access="on", **options)
        assert self.process.stdout is not None
        self.token = self.process.stdout.readline().split()[-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    """A server that soon gives up on the made-up hosts of made-up URLs."""
    running = GuardedServer(
        tmp_path_factory.mktemp("contract") / "data",
        remote_tries=1,
        remote_connect_timeout=0.5,
        remote_answer_timeout=0.5,
    )
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    """A server whose files are in a cluster."""
    folder = tmp_path_factory.mktemp("gateway")
    running = GuardedServer(folder / "data", store="cluster://")
    yield running
    assert running.stop() == 0


# Rules between fields and on characters of keys are beyond a schema; they are in the prose.
UNSAYABLE: list[Any] = [positive_data_acceptance]
# tests/server/test_permissions.py asks for everything without a login, and with too small a one.
ELSEWHERE: list[Any] = [ignored_auth]
# Bytes of uploads, of which schemathesis knows only the general media type.
PIECES = ["application/offset+octet-stream", "application/partial-upload"]
schemathesis.serializer.alias(PIECES, "application/octet-stream")
SCHEMA = schemathesis.openapi.from_path(CONTRACT)
# A stream that goes on for as long as somebody listens; tests/server/test_jobs_events.py has it.
# A profile takes as long as is asked; tests/server/test_profiles.py has it.
ENDLESS = {
    ("GET", "/v1/jobs/events"),
    ("POST", "/debug/profile/cpu"),
    ("POST", "/debug/profile/heap"),
}
OPERATIONS = {f"{method} {path}": (method, path) for method, path in sorted(documented() - ENDLESS)}

# Each wrong try makes the next one wait.
FEW = {"/login": 5}

OF_NODES = re.compile(" (/live|/v1/nodes)")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_request_gets_an_answer_the_contract_does_not_know(
    server: GuardedServer, operation: str
) -> None:
    check_answers(server, *OPERATIONS[operation])


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if OF_NODES.search(name)])
def test_neither_does_one_that_asks_for_nodes_where_there_are_some(
    gateway: GuardedServer, operation: str
) -> None:
    check_answers(gateway, *OPERATIONS[operation])


def check_answers(server: GuardedServer, method: str, path: str) -> None:
    """Send requests of one operation."""

    @settings(
        max_examples=FEW.get(path, 30), deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=SCHEMA[path][method].as_strategy())
    def fuzz(case: schemathesis.Case[Any]) -> None:
        # The client underneath takes a 104 for the answer: it must not claim to know better.
        case.headers.pop("Upload-Draft-Interop-Version", None)
        case.headers["Authorization"] = f"Bearer {server.token}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the generator's own machinery
            case.call_and_validate(base_url=server.url, excluded_checks=UNSAYABLE + ELSEWHERE)

    fuzz()
