"""Links, and what people try who should not have what is behind them."""

import asyncio
import html
import json
import logging
import re
import threading
from pathlib import Path

import pytest

from penstock.access.sealing import Seals
from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.programs import run
from tests.server.sharing import basic, bearer_of, file_of, page_of, share, status

JSON = "application/json"


async def first_line(api: Api, *lines: bytes) -> bytes:
    """Send the lines of a head as they are; answers the first line of what comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"\r\n".join([*lines, b"Host: x", b"", b""]))
    try:
        async with asyncio.timeout(30):
            return await reader.readline()
    finally:
        writer.close()


async def test_octets_that_are_no_text_prove_nothing(api: Api) -> None:
    await api.put("a.bin", b"x")
    fetched = await share(api, keys=["a.bin"], password="pw")
    asked = await share(api, kind="upload", prefix="in/", password="pw")

    by_cookie = await first_line(
        api, f"GET {file_of(fetched)} HTTP/1.1".encode(), b"Cookie: penstock_share=\xff\xfe"
    )
    by_token = await first_line(
        api, b"GET /v1/files HTTP/1.1", f"Authorization: {bearer_of(asked)}.".encode() + b"\xff"
    )

    assert b" 401 " in by_cookie
    # Where access is off, it is the token of nobody.
    assert b" 401 " in by_token


async def test_what_is_no_password_is_a_wrong_one(api: Api) -> None:
    made = await share(api, kind="upload", prefix="in/", password="pw")

    for body in (b"[" * 10_000, b"{", b"[]", b'{"password": 1}', b"\xff"):
        response, _ = await api.call("POST", page_of(made), body, Content_Type=JSON)
        assert response.status in (401, 429)


async def test_a_password_is_no_long_text(api: Api) -> None:
    made = await share(api, kind="upload", prefix="in/", password="pw")

    response, _ = await api.call(
        "POST", page_of(made), json.dumps({"password": "p" * 100_000}), Content_Type=JSON
    )

    assert response.status == 413


async def test_who_does_not_finish_a_password_is_not_waited_for(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.3)
    made = await share(api, kind="upload", prefix="in/", password="pw")

    told = await first_line(
        api,
        f"POST {page_of(made)} HTTP/1.1".encode(),
        b"Content-Type: application/json",
        b"Content-Length: 10",
    )

    assert b" 408 " in told


async def test_many_passwords_tried_together_are_not_all_looked_at(api: Api) -> None:
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"], password="pw")

    async def attempt(number: int) -> int:
        return await status(api, f"{page_of(made)}/info", Authorization=basic(str(number)))

    found = await asyncio.gather(*map(attempt, range(80)))

    assert set(found) == {401, 429}
    assert found.count(401) <= 60


async def test_several_connections_may_begin_with_the_right_password_together(api: Api) -> None:
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"], password="pw")

    async def attempt(_: int) -> int:
        return await status(api, f"{page_of(made)}/info", Authorization=basic("pw"))

    assert await asyncio.gather(*map(attempt, range(16))) == [200] * 16


async def test_who_leaves_while_a_password_is_looked_at_makes_no_more_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seals = Seals()
    sealed = await seals.seal("pw")
    running = most = 0
    done = threading.Event()

    def slow(password: bytes, salt: bytes) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        done.wait(30)
        running -= 1
        return b""

    monkeypatch.setattr("penstock.access.sealing._scrypt", slow)
    for number in range(8):
        task = asyncio.create_task(seals.opens(sealed, str(number)))
        await asyncio.sleep(0.01)
        task.cancel()
    left = asyncio.create_task(seals.opens(sealed, "last"))
    await asyncio.sleep(0.05)
    done.set()

    assert await left is False
    assert most <= 2


async def test_the_command_on_the_page_writes_into_the_folder_it_is_called_in(
    api: Api, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    await asyncio.to_thread(here.mkdir)
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"], name="../.-out of here.bin")
    _, body = await api.call("GET", page_of(made))
    found = re.search(r'<code id="share-curl">(.*?)</code>', body.decode())
    assert found is not None

    await run("sh", "-c", f"cd '{here}' && {html.unescape(found[1])}")

    names = await asyncio.to_thread(lambda: [path.name for path in here.iterdir()])
    assert names == ["_.-out of here.bin"]


async def test_a_link_that_is_written_in_another_way_is_not_in_the_log_either(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "penstock")
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"])
    path, _, signature = file_of(made).removeprefix("/s").partition(".")

    told = await first_line(api, f"GET /%73{path}.{signature} HTTP/1.1".encode())

    assert b" 200 " in told
    assert await eventually(lambda: any(f"/s{path}/file" in str(vars(r)) for r in caplog.records))
    assert not any(signature.removesuffix("/file") in str(vars(r)) for r in caplog.records)


async def test_what_is_asked_of_a_link_cannot_write_lines_of_the_log(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "penstock")
    await api.put("a.bin", b"x")
    page = page_of(await share(api, keys=["a.bin"])).partition(".")[0]

    await first_line(api, f"GET {page}.x/file%0A%1B%5B2J%C2%9B%25%C3%A9 HTTP/1.1".encode())

    def paths() -> list[str]:
        lines = [vars(record).get("fields", {}) for record in caplog.records]
        return [str(line["path"]) for line in lines if page in str(line.get("path"))]

    assert await eventually(lambda: bool(paths()), 30)
    assert paths() == [f"{page}/file%0A%1B%5B2J%C2%9B%25%C3%A9"]
