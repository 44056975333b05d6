"""What a request says and an answer says again: no line of a head, no script, no other place.

If one of these failed, a link to this server would set cookies, run script in its pages, or lead
its users to somebody else's.
"""

import json
from urllib.parse import quote

import pytest

from tests.security.speaking import Answer, answer_in, ask, said
from tests.server.conftest import Api, StartApi
from tests.server.entering import guarded
from tests.server.sharing import page_of, share
from tests.server.tus_speaking import metadata

LINES = [
    "a\r\nInjected: yes",
    "a\nInjected: yes",
    "a\rInjected: yes",
    "a\r\n\r\n<script>alert(1)</script>",
    "a\x00\r\nInjected: yes",
    "a\u2028Injected: yes",
    "a\x85Injected: yes",
    "嘊嘍Injected: yes",  # U+560A U+560D: LF and CR to who cuts to eight bits
    '"\r\nInjected: yes',
    "a%0d%0aInjected: yes",
]
SCRIPT = "\"'><script>alert(1)</script>"
EVIL = "evil.example"


def assert_clean(answer: Answer) -> None:
    assert answer.status < 500
    names = {name for name, _ in answer.fields}
    assert "injected" not in names, answer
    assert all(name.isascii() and name and " " not in name for name in names), answer
    assert not any(set(value) & set("\r\n\0") for _, value in answer.fields), answer


def by_path(text: str) -> list[tuple[str, str]]:
    octets = quote(text, safe="")
    return [
        ("GET", f"/v1/files/{octets}"),
        ("PUT", f"/v1/files/{octets}"),
        ("GET", f"/files/{octets}"),
        ("GET", f"/download/{octets}"),
        ("GET", f"/v1/zip?key=a&name={octets}"),
        ("GET", f"/v1/zip?key={octets}"),
        ("GET", f"/v1/files/a?download={octets}"),
        ("GET", f"/v1/files?prefix={octets}&after={octets}"),
        ("GET", f"/login?next=/{octets}"),
        ("GET", f"/login?next={octets}"),
        ("GET", f"/{octets}"),
        ("GET", f"/static/{octets}"),
        ("GET", f"/dashboard/{octets}"),
        ("GET", f"/job/{octets}"),
        ("GET", f"/s/{octets}"),
        ("POST", f"/s/{octets}"),
        ("GET", f"/v1/uploads/{octets}"),
    ]


@pytest.mark.parametrize("text", LINES, ids=ascii)
async def test_no_line_of_a_head_comes_out_of_a_path(api: Api, text: str) -> None:
    await api.put("a", b"x")

    for method, path in by_path(text):
        assert_clean(await ask(api.port, method, path))


REFLECTED = [
    "X-Request-ID", "Origin", "Access-Control-Request-Headers", "Host", "X-Forwarded-Proto",
    "X-Forwarded-Host", "Range", "If-None-Match", "Accept", "Content-Type", "X-File-Name",
    "Upload-Metadata", "Upload-Concat", "Want-Repr-Digest", "traceparent", "Referer",
]  # fmt: skip


@pytest.mark.parametrize("name", REFLECTED)
async def test_no_line_of_a_head_comes_out_of_a_field(start_api: StartApi, name: str) -> None:
    api = await start_api(cors_origins="*")
    await api.put("a", b"x")

    for value in ("a\rInjected: yes", "a\nInjected: yes", "a\x85Injected: yes", "a\u2028b", SCRIPT):
        for method, path in (
            ("GET", "/v1/files/a"),
            ("PUT", "/v1/files/b"),
            ("OPTIONS", "/v1/uploads"),
            ("POST", "/v1/uploads"),
            ("POST", "/upload"),
            ("GET", "/login"),
        ):
            answer = await ask(api.port, method, path, f"{name}: {value}", body=b"")
            # A bare LF ends a field for many, and what is behind it is then a field of its own.
            assert_clean(answer)
            assert SCRIPT.encode() not in answer.body


@pytest.mark.parametrize("text", LINES, ids=ascii)
async def test_no_line_of_a_head_comes_out_of_what_was_stored(api: Api, text: str) -> None:
    """Names and types that are kept, and told to others later."""
    body = json.dumps({"keys": ["a"], "name": text}).encode()
    kind = "Content-Type: application/json"
    await api.put("a", b"x")

    link = await ask(api.port, "POST", "/v1/zips", kind, body=body)
    made = await ask(api.port, "POST", "/v1/shares", kind, body=body)
    upload = await ask(
        api.port, "POST", "/v1/uploads", "Tus-Resumable: 1.0.0", "Upload-Length: 1",
        f"Upload-Metadata: {metadata(filename='b', filetype=text, name=text, note=text)}",
    )  # fmt: skip
    for answer in (link, made, upload):
        assert_clean(answer)
    if link.status == 201:
        assert_clean(await ask(api.port, "GET", json.loads(link.body)["url"]))
    if made.status == 201:
        page = page_of(json.loads(made.body))
        assert_clean(await ask(api.port, "GET", page))
        assert_clean(await ask(api.port, "GET", f"{page}/file"))
    for place in upload.values("location"):
        assert_clean(await ask(api.port, "HEAD", place, "Tus-Resumable: 1.0.0"))


async def test_no_script_comes_out_of_a_path_or_a_field(start_api: StartApi) -> None:
    api = await guarded(start_api)
    escaped = quote(SCRIPT, safe="")

    for path in (
        f"/login?next=/{escaped}",
        f"/dashboard/{escaped}",
        f"/s/{escaped}",
        f"/?prefix={escaped}",
        f"/{escaped}",
        f"/v1/files/{escaped}",
    ):
        answer = await ask(
            api.port,
            "GET",
            path,
            "Accept: text/html",
            f"Referer: {SCRIPT}",
            f"User-Agent: {SCRIPT}",
        )
        assert b"<script>alert" not in answer.body
        assert_clean(answer)


@pytest.mark.parametrize(
    "name", ["Host", "X-Forwarded-Host", "Forwarded", "X-Host", "X-Original-URL"]
)
async def test_links_lead_to_where_the_operator_says(start_api: StartApi, name: str) -> None:
    """Else a link that is sent to somebody leads to who asked for it with another ``Host``."""
    api = await start_api(public_url="https://files.example.org/")
    await api.put("a", b"x")
    field = f"{name}: {EVIL}"
    kind = "Content-Type: application/json"
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="b"\r\n\r\nx\r\n--b--\r\n'

    answers = [
        await _asked(api, field, "POST", "/v1/zips", kind, body=b'{"keys": ["a"]}'),
        await _asked(api, field, "POST", "/v1/shares", kind, body=b'{"keys": ["a"]}'),
        await _asked(api, field, "GET", "/v1/shares"),
        await _asked(api, field, "POST", "/v1/uploads", "Tus-Resumable: 1.0.0", "Upload-Length: 1"),
        await _asked(
            api, field, "POST", "/api/upload", "Content-Type: multipart/form-data; boundary=b",
            body=form,
        ),
        await _asked(api, field, "PUT", "/v1/files/c", body=b"x"),
        await _asked(api, field, "GET", "/login"),
        await _asked(api, field, "GET", "/"),
    ]  # fmt: skip

    for answer in answers:
        assert answer.status < 400, answer
        assert EVIL.encode() not in answer.body
        assert not any(EVIL in value for _, value in answer.fields)
    share_url = json.loads(answers[1].body)["url"]
    assert share_url.startswith("https://files.example.org/s/")
    page = share_url.removeprefix("https://files.example.org")
    assert EVIL.encode() not in (await _asked(api, field, "GET", page)).body


async def _asked(
    api: Api, field: str, method: str, path: str, *fields: str, body: bytes = b""
) -> Answer:
    """With a field that is the only one of its name."""
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", field, *fields]
    if not field.startswith("Host:"):
        lines.append("Host: inner")
    if method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return answer_in(await said(api.port, "\r\n".join([*lines, "", ""]).encode() + body))


@pytest.mark.parametrize("host", [SCRIPT, "x';touch pwned;'", "$(touch pwned)", "a b", "x/../y"])
async def test_a_hosts_name_is_no_script_and_no_command(api: Api, host: str) -> None:
    """The page of a share shows a command to copy, with the server's name in it."""
    await api.put("a", b"x")
    page = page_of(await share(api, keys=["a"]))

    answer = await _asked(api, f"Host: {host}", "GET", page)

    assert_clean(answer)
    text = answer.body.decode()
    assert "<script>alert" not in text
    assert f"://{host}" not in text or "'" not in host


@pytest.mark.parametrize(
    "onward",
    ["//evil.example", "/\\evil.example", "https://evil.example/", "/%2f/evil.example",


             "///evil.example",
     "/%5cevil.example", "javascript:alert(1)", "/\t/evil.example", "data:text/html,x",
     "/.//evil.example",
     "/..//evil.example", "?//evil.example", "https:evil.example", "/@evil.example",
     "\x01//evil.example"],
)  # fmt: skip
async def test_no_redirect_leads_elsewhere(api: Api, onward: str) -> None:
    """Where access is off, the login leads on at once."""
    for path in (f"/login?next={quote(onward, safe='')}", f"/login?next={quote(onward)}"):
        answer = await ask(api.port, "GET", path)

        for place in answer.values("location"):
            assert place.startswith("/"), place
            assert not place.startswith(("//", "/\\")), place
            assert not set(place) & {"\t", "\\"} or "?" in place, place


@pytest.mark.parametrize("path", ["//evil.example", "//evil.example/..", "/\\evil.example", "///"])
async def test_no_path_is_tidied_up_by_a_redirect_elsewhere(api: Api, path: str) -> None:
    answer = await ask(api.port, "GET", path)

    assert not any(EVIL in value for value in answer.values("location"))
