"""The settings of the receiver, and signatures that software of others accepts."""

import base64
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from penstock.errors import BadRequest
from penstock.hooks import Receiver
from tests.cli.running import COMMAND
from tests.hooks.hearing import SECRET

URL = "https://example.org/hooks"


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(os.urandom(size)).decode()


@given(key=st.binary(min_size=24, max_size=64), body=st.text(st.characters(codec="utf-8")))
def test_the_reference_library_accepts_our_signature(key: bytes, body: str) -> None:
    secret, now = "whsec_" + base64.b64encode(key).decode(), int(time.time())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": Receiver.of(URL, secret).sign("msg_1", now, body),
    }

    Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + " ", headers, json_parse=False)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_secrets_of_the_sizes_of_the_specification_are_taken(size: int) -> None:
    assert len(Receiver.of(URL, secret_of(size)).key) == size


@pytest.mark.parametrize(
    "secret",
    ["", "secret", "whsec_", "whsec_%%%", SECRET[6:], SECRET + "x", secret_of(23), secret_of(65)],
    ids=["empty", "a-word", "no-key", "no-base64", "no-mark", "cut", "short", "long"],
)
def test_a_bad_secret_is_refused_with_a_way_to_make_a_good_one(secret: str) -> None:
    with pytest.raises(BadRequest, match="PENSTOCK_HOOKS_SECRET") as refused:
        Receiver.of(URL, secret)

    assert "make one with" in refused.value.detail
    assert secret == "" or secret in ("whsec_", "secret") or secret not in refused.value.detail


def test_the_way_to_make_one_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as refused:
        Receiver.of(URL, "")
    command = refused.value.detail.partition("make one with: ")[2]

    made = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    assert len(Receiver.of(URL, made.stdout.strip()).key) == 32


@pytest.mark.parametrize("url", ["example.org", "ftp://example.org/", "http://", "https:///x"])
def test_a_bad_url_is_refused(url: str) -> None:
    with pytest.raises(BadRequest, match="PENSTOCK_HOOKS_URL"):
        Receiver.of(url, SECRET)


def test_nothing_secret_is_shown_of_a_receiver() -> None:
    receiver = Receiver.of("https://user:pa55word@example.org/x?token=t0ken", SECRET)

    shown = f"{receiver!r} {receiver.origin}"
    assert not any(secret in shown for secret in ("pa55word", "t0ken", repr(receiver.key)))


def test_a_server_with_a_url_but_no_secret_does_not_start(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, "serve", "--port", "0", "--hooks-url", URL],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == 2
    assert "PENSTOCK_HOOKS_SECRET" in ran.stderr
    assert "make one with" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_receiver_of_the_documentation_takes_each_event_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCK_HOOKS_SECRET", SECRET)
    text = (Path(__file__).parents[2] / "docs/how-to/webhooks.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    scope: dict[str, Any] = {}
    exec(code, scope)
    body, now = '{"type":"upload.created"}', int(time.time())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": Receiver.of(URL, SECRET).sign("msg_1", now, body),
    }

    seen: set[str] = set()
    received = [scope["receive"](body.encode(), headers, seen) for _ in range(2)]

    assert received == [{"type": "upload.created"}, None]
