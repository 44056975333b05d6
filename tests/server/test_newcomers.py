"""Who may only add files: what is there is neither seen nor replaced."""

import pytest

from tests.server import tus_speaking
from tests.server.conftest import StartApi
from tests.server.granting import FOLDER, As, as_newcomer, guarded, with_token

TUS = {"Tus_Resumable": "1.0.0"}
KEY = f"{FOLDER}there"


@pytest.fixture
async def owner(start_api: StartApi) -> As:
    owner = await with_token(await guarded(start_api, resume_from="1KiB"))
    assert await owner.status("PUT", f"/v1/files/{KEY}", b"before") == 201
    return owner


@pytest.fixture
async def newcomer(owner: As) -> As:
    return await as_newcomer(owner.api)


async def is_untouched(owner: As) -> bool:
    return (await owner.call("GET", f"/v1/files/{KEY}"))[1] == b"before"


@pytest.mark.parametrize("size", [10, 5000])
async def test_a_new_file_is_taken(newcomer: As, owner: As, size: int) -> None:
    assert await newcomer.status("PUT", f"/v1/files/{FOLDER}new", b"x" * size) == 201
    assert (await owner.call("GET", f"/v1/files/{FOLDER}new"))[1] == b"x" * size


@pytest.mark.parametrize("size", [10, 5000])
@pytest.mark.parametrize("complete", ["", "?1"])
async def test_a_file_is_not_replaced(newcomer: As, owner: As, size: int, complete: str) -> None:
    fields = {"Upload_Complete": complete} if complete else {}

    assert await newcomer.status("PUT", f"/v1/files/{KEY}", b"x" * size, **fields) == 412
    assert await is_untouched(owner)


async def test_no_version_of_a_file_is_replaced_either(newcomer: As, owner: As) -> None:
    for name in ("there", "new"):
        path = f"/v1/files/{FOLDER}{name}"
        assert await newcomer.status("PUT", path, b"x", If_Match="*") == 403
        assert await newcomer.status("PUT", path, b"x", If_Match='"e"') == 403
    assert await is_untouched(owner)


async def test_uploads_begin_where_there_is_no_file(newcomer: As, owner: As) -> None:
    async def begun(key: str) -> int:
        return await newcomer.status(
            "POST",
            "/v1/uploads",
            b"abc",
            Upload_Length="3",
            Content_Type=tus_speaking.OCTETS,
            Upload_Metadata=tus_speaking.metadata(filename=key),
            **TUS,
        )

    assert await begun(KEY) == 412
    assert await begun("elsewhere/new") == 403
    assert await begun(f"{FOLDER}new") == 201
    assert await is_untouched(owner)


async def test_a_file_that_comes_meanwhile_is_not_replaced(newcomer: As, owner: As) -> None:
    response, _ = await newcomer.call(
        "POST",
        "/v1/uploads",
        Upload_Length="3",
        Upload_Metadata=tus_speaking.metadata(filename=f"{FOLDER}late"),
        **TUS,
    )
    assert await owner.status("PUT", f"/v1/files/{FOLDER}late", b"first") == 201

    patch = {"Content_Type": tus_speaking.OCTETS, "Upload_Offset": "0", **TUS}
    assert await newcomer.status("PATCH", response.headers["Location"], b"abc", **patch) == 412
    assert (await owner.call("GET", f"/v1/files/{FOLDER}late"))[1] == b"first"


async def test_nothing_is_listed_under_another_method_either(newcomer: As) -> None:
    path = f"/v1/uploads?key={KEY}"

    assert await newcomer.status("GET", path) == 403
    for method in ("GET", "HEAD", "get"):
        assert await newcomer.status("POST", path, X_HTTP_Method_Override=method) == 403
