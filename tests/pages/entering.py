"""Logging in on the pages, and tokens to do it with."""

import json
import urllib.request
from base64 import b64encode
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.async_api import Page

PASSWORD = "of the tests"
GUARDED: dict[str, object] = {"access": "on", "dashboard_password": PASSWORD}
"""Settings of a server that asks who comes."""


def new_token(url: str, *scopes: str, name: str = "of a test", **wish: Any) -> dict[str, Any]:
    """Have a token made by the operator; its text is under ``token``. Blocks."""
    answer: dict[str, Any] = json.loads(
        as_operator(url, "POST", "/v1/tokens", {"name": name, "scopes": scopes, **wish})
    )
    return answer


def as_operator(url: str, method: str, path: str, document: object = None) -> bytes:
    """The answer to a request of who knows the password. Blocks."""
    request = urllib.request.Request(f"{url}{path}", method=method)
    login = b64encode(f"admin:{PASSWORD}".encode()).decode()
    request.add_header("Authorization", f"Basic {login}")
    if document is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(document).encode()
    with urllib.request.urlopen(request, timeout=60) as response:
        body: bytes = response.read()
        return body


def logged_in(url: str, secret: str = PASSWORD) -> dict[str, Any]:
    """What a browser keeps of a login, for the tests that are not about logging in. Blocks."""
    host = urlsplit(url).hostname
    login = urllib.request.Request(f"{url}/login", urlencode({"secret": secret}).encode())
    with urllib.request.build_opener(_Stay).open(login, timeout=60) as response:
        morsel = SimpleCookie(response.headers["Set-Cookie"])["penstock_session"]
    cookie = {"name": morsel.key, "value": morsel.value, "domain": host, "path": "/"}
    return {"cookies": [cookie | {"httpOnly": True, "sameSite": "Strict"}], "origins": []}


class _Stay(urllib.request.HTTPRedirectHandler):
    """Takes the answer to a login for what it is, and does not go where it leads."""

    def http_error_303(self, req: Any, fp: Any, code: int, msg: str, headers: Any) -> Any:
        return fp


async def log_in(page: Page, url: str, secret: str = PASSWORD, path: str = "/") -> None:
    """Ask for a page, be shown the login, and get to the page."""
    await page.goto(f"{url}{path}")
    await page.get_by_label("Token or password").fill(secret)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_selector(".user-name")
