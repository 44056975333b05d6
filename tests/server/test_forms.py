"""POST /v1/files: several files in one form."""

import asyncio

import aiohttp
import pytest

from tests.server.conftest import Api, StartApi

DATA = bytes(range(256)) * 3000


def form(*fields: tuple[str, bytes | str], file_name: str = "f.bin") -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in fields:
        if name == "file":
            data.add_field("file", value, filename=file_name)
        else:
            data.add_field(name, value)
    return data


async def keys(api: Api) -> list[str]:
    return [info.key for info in (await api.services.store.list()).files]


async def test_a_form_with_one_file_is_stored_under_its_name(api: Api) -> None:
    response, _ = await api.call("POST", "/v1/files", form(("file", DATA)))

    document = await response.json()
    assert response.status == 201
    assert document["files"][0]["key"] == "f.bin"
    assert response.headers["ETag"] == document["files"][0]["etag"]
    assert response.headers["Location"] == "/v1/files/f.bin"
    assert await api.get("/v1/files/f.bin") == DATA


async def test_path_and_name_may_come_after_the_file(api: Api) -> None:
    fields = form(("file", b"1"), ("path", "docs/2024"), ("name", "report.pdf"))

    await api.call("POST", "/v1/files", fields)

    assert await keys(api) == ["docs/2024/report.pdf"]


async def test_several_files_take_several_names(api: Api) -> None:
    fields = form(("path", "d"), ("file", b"1"), ("file", b"2"), ("name", "a"), ("name", "b"))

    await api.call("POST", "/v1/files", fields)

    assert [await api.get("/v1/files/d/a"), await api.get("/v1/files/d/b")] == [b"1", b"2"]


@pytest.mark.parametrize("name", ["/etc/passwd", "C:\\Users\\x\\passwd", "../../passwd"])
async def test_the_folders_of_the_clients_file_name_are_dropped(api: Api, name: str) -> None:
    await api.call("POST", "/v1/files", form(("file", b"x"), file_name=name))

    assert await keys(api) == ["passwd"]


@pytest.mark.parametrize(
    "fields",
    [
        [("path", "x")],
        [("file", b"1"), ("file", b"2")],
        [("file", b"1"), ("name", "a"), ("name", "b")],
        [("file", b"1"), ("path", "a"), ("path", "b")],
        [("file", b"1"), ("path", "../x")],
        [("file", b"1"), ("name", "")],
    ],
)
async def test_a_form_whose_fields_do_not_fit_stores_nothing(
    api: Api, fields: list[tuple[str, bytes | str]]
) -> None:
    response, _ = await api.call("POST", "/v1/files", form(*fields))

    assert response.status == 400
    assert await keys(api) == []


async def test_too_many_files_store_nothing(start_api: StartApi) -> None:
    api = await start_api(max_form_files=2)
    names = [("name", f"{n}") for n in range(3)]

    response, _ = await api.call("POST", "/v1/files", form(*[("file", b"x")] * 3, *names))

    assert response.status == 413
    assert await keys(api) == []


async def test_a_form_cut_short_stores_nothing(api: Api) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'

    response, _ = await api.call(
        "POST", "/v1/files", body, Content_Type="multipart/form-data; boundary=b"
    )

    assert response.status == 400
    assert await keys(api) == []


async def test_another_content_type_is_refused_with_advice(api: Api) -> None:
    response, _ = await api.call("POST", "/v1/files", b"x", Content_Type="text/plain")

    assert response.status == 415
    assert "PUT" in (await response.json())["detail"]


async def test_a_refused_form_leaves_no_temporary(api: Api) -> None:
    await api.call("POST", "/v1/files", form(("file", DATA), ("path", "../x")))

    left = await asyncio.to_thread(
        lambda: list((api.services.settings.data / "files/.penstock/tmp").iterdir())
    )
    assert left == []
