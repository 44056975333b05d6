"""Every operation of the contract, asked for with every sort of token."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from aiohttp import web

import penstock.server
from penstock.access import Scope
from penstock.server.access.needs import NEEDS, Needs
from penstock.server.routes import add_routes
from tests.server.conftest import Api, StartApi
from tests.server.granting import (
    FOLDER,
    As,
    as_newcomer,
    guarded,
    with_expired,
    with_token,
)

CONTRACT = Path(penstock.server.__file__).with_name("openapi.yaml")
METHODS = {"get", "put", "post", "delete", "head", "patch", "options"}

CREATING = {
    ("PUT", "/v1/files/{key}"),
    ("POST", "/v1/uploads"),
    *((method, "/v1/uploads/{id}") for method in ("GET", "HEAD", "PATCH", "DELETE", "POST")),
}
"""All that a link for files that are asked for is good for."""

OUTSIDE = {(method, "/download/{name}") for method in ("GET", "HEAD")}
"""What never names anything in a folder."""

PLACES = {
    "key": f"{FOLDER}x",
    "name": f"{FOLDER}x",
    "id": "nothing",
    "uploadId": "nothing",
    "partNumber": "1",
    "path": "app.css",
    "link": "nothing",
}
# So that who is bound to a folder names it wherever something is named.
QUERIES = {
    "/v1/files": f"?prefix={FOLDER}",
    "/v1/uploads": f"?key={FOLDER}x",
    "/v1/zip": f"?key={FOLDER}x",
    "/debug/profile/cpu": "?seconds=0.1",
    "/debug/profile/heap": "?seconds=0.1",
}
FIELDS = {"/upload": {"X-File-Name": f"{FOLDER}x"}}


class Operation(NamedTuple):
    """``roles`` are what its security requirement asks for; ``None``: it is open to all."""

    method: str
    path: str
    roles: frozenset[str] | None

    @property
    def asked(self) -> tuple[str, str]:
        name = "x" if self.path.startswith("/download") else PLACES["name"]
        name = "small" if "lanes" in self.path else name
        path = self.path.format(**{**PLACES, "name": name})
        return self.method, path + QUERIES.get(self.path, "")


def operations() -> Iterator[Operation]:
    for path, item in yaml.safe_load(CONTRACT.read_text())["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield Operation(method.upper(), path, _roles(operation["security"]))


def _roles(security: list[dict[str, list[str]]]) -> frozenset[str] | None:
    found = [frozenset(one["token"]) for one in security if "token" in one]
    assert len(found) == (1 if security and {} not in security else 0)
    return found[0] if found else None


OPERATIONS = list(operations())


def test_the_contract_says_what_every_route_needs() -> None:
    app = web.Application()
    add_routes(app)
    said = {
        (operation.method, operation.path): operation.roles
        for operation in OPERATIONS
        if operation.method != "HEAD"
    }
    needed = {route: _roles_of(needs) for route, needs in app[NEEDS].items()}

    assert said == needed


def test_heads_need_what_gets_do() -> None:
    gets = {one.path: one.roles for one in OPERATIONS if one.method == "GET"}

    assert all(one.roles == gets[one.path] for one in OPERATIONS if one.method == "HEAD")


def _roles_of(needs: Needs) -> frozenset[str] | None:
    if needs.is_open:
        return None
    scope = set() if needs.scope is None else {str(needs.scope)}
    return frozenset(scope | ({"whole"} if needs.whole else set()))


Open = Callable[[Api], Awaitable[As]]


async def _nobody(api: Api) -> As:
    return As(api, "")


async def _wrong(api: Api) -> As:
    right = await with_token(api, Scope.ADMIN)
    return As(api, right.token[:-4] + ("AAAA" if right.token[-4:] != "AAAA" else "BBBB"))


STRANGERS: dict[str, Open] = {
    "no token": _nobody,
    "a wrong one": _wrong,
    "an old one": with_expired,
}
FRIENDS = [(scope, prefix) for scope in Scope for prefix in ("", FOLDER)]


@pytest.mark.parametrize("who", STRANGERS)
async def test_strangers_are_let_in_nowhere_but_where_all_are(
    start_api: StartApi, who: str
) -> None:
    stranger = await STRANGERS[who](await guarded(start_api))

    found = {(one.method, one.path): await _outcome(stranger, one) for one in OPERATIONS}

    assert found == {(m, path): "answered" if r is None else "401" for m, path, r in OPERATIONS}


@pytest.mark.parametrize(("scope", "prefix"), FRIENDS)
async def test_a_token_is_good_for_what_its_scope_and_folder_allow(
    start_api: StartApi, scope: Scope, prefix: str
) -> None:
    friend = await with_token(await guarded(start_api), scope, prefix=prefix)

    found = {(one.method, one.path): await _outcome(friend, one) for one in OPERATIONS}

    assert found == {
        (one.method, one.path): "answered" if _suffices(one, scope, prefix) else "403"
        for one in OPERATIONS
    }


async def test_who_may_only_add_files_may_do_nothing_else(start_api: StartApi) -> None:
    newcomer = await as_newcomer(await guarded(start_api))

    found = {(one.method, one.path): await _outcome(newcomer, one) for one in OPERATIONS}

    allowed = {(one.method, one.path) for one in OPERATIONS if one.roles is None} | CREATING
    assert {one for one, outcome in found.items() if outcome == "answered"} == allowed


def _suffices(operation: Operation, scope: Scope, prefix: str) -> bool:
    if operation.roles is None:
        return True
    if prefix and (operation.method, operation.path) in OUTSIDE:
        return False
    scopes = operation.roles & set(Scope)
    return (scope is Scope.ADMIN or scopes <= {scope}) and not (
        prefix and "whole" in operation.roles
    )


async def _outcome(who: As, operation: Operation) -> str:
    """``answered``, or the status of a refusal, which must tell why."""
    method, path = operation.asked
    fields: dict[str, Any] = dict(FIELDS.get(operation.path, {}))
    if who.token:
        fields["Authorization"] = f"Bearer {who.token}"
    # A body that goes on for ever is not read.
    async with who.api.session.request(method, path, headers=fields) as response:
        if response.status not in (401, 403) or operation.roles is None:
            return "answered"
        assert method == "HEAD" or response.content_type in (
            "application/problem+json",
            "text/html",
        )
        assert response.status != 401 or "WWW-Authenticate" in response.headers
        return str(response.status)
