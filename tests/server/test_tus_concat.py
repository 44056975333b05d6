"""tus 1.0, concatenation: partial uploads are joined to a final one."""

import asyncio

import pytest

from tests.server.conftest import Api
from tests.server.tus_speaking import (
    DATA,
    arrived,
    ask,
    becomes,
    begin,
    begin_part,
    code_of,
    create,
    half_sent,
    head,
    metadata,
    offset_of,
    patch,
    patch_head,
    sha256_field,
    stored,
)

NAMED = metadata(filename="file.bin")
HALF = len(DATA) // 2


async def join(api: Api, *urls: str, named: str = NAMED) -> str:
    """A final upload; answers its path."""
    response = await create(api, Upload_Concat=f"final;{' '.join(urls)}", Upload_Metadata=named)
    assert response.status == 201
    return response.headers["Location"]


async def test_parts_are_joined_in_their_order(api: Api) -> None:
    first, second = await begin_part(api, b"hello "), await begin_part(api, b"world")

    response = await create(api, Upload_Concat=f"final;{first} {second}", Upload_Metadata=NAMED)

    assert response.status == 201
    assert response.headers["Upload-Offset"] == "11"
    assert response.headers["Content-Location"] == "/v1/files/file.bin"
    assert response.headers["Repr-Digest"] == sha256_field(b"hello world")
    assert await stored(api) == b"hello world"


async def test_a_part_alone_is_no_file(api: Api) -> None:
    await begin_part(api, DATA)

    assert (await api.services.store.list()).files == []


async def test_head_of_a_part_says_that_it_is_one(api: Api) -> None:
    url = await begin_part(api, b"hello", complete=False)

    response = await head(api, url)

    assert response.headers["Upload-Concat"] == "partial"
    assert (response.headers["Upload-Offset"], response.headers["Upload-Length"]) == ("0", "5")


async def test_the_digest_of_a_complete_part_is_told_if_wanted(api: Api) -> None:
    url = await begin_part(api, b"hello")

    response = await head(api, url, Want_Repr_Digest="sha-256=1")

    assert response.headers["Repr-Digest"] == sha256_field(b"hello")


async def test_head_of_a_final_upload_names_the_parts_as_they_were_given(api: Api) -> None:
    first, second = await begin_part(api, b"hello "), await begin_part(api, b"world")
    absolute = f"http://127.0.0.1:{api.port}{second}"
    url = await join(api, first, absolute)

    response = await head(api, url)

    assert response.headers["Upload-Concat"] == f"final;{first} {absolute}"
    assert response.headers["Upload-Offset"] == response.headers["Upload-Length"] == "11"


async def test_parts_may_be_named_in_every_form_of_url(api: Api) -> None:
    url = await begin_part(api, b"ab")
    identity = url.rpartition("/")[2]
    forms = [
        url,
        f"http://127.0.0.1:{api.port}{url}",
        f"https://behind.a.proxy.example{url}",
        f"//127.0.0.1:{api.port}{url}",
        f"uploads/{identity}",
        f"./uploads/{identity}",
    ]

    await join(api, *forms)

    assert await stored(api) == b"ab" * len(forms)


@pytest.mark.parametrize(
    "url",
    [
        "/v1/files/secret",
        "/v1/uploads/../files/secret",
        "/v1/uploads/%2e%2e/%2e%2e/etc/passwd",
        "/v1/uploads/..",
        "/v1/uploads/a/b",
        "/v1/uploads/a%2Fb",
        "/v1/uploads/a?x=1",
        "/v1/uploads/",
        "file:///v1/uploads/a",
        "../etc/passwd",
        "http://elsewhere.example/",
        "http://[/v1/uploads/a",
        "http://größe.example/v1/uploads/a",
    ],
)
async def test_what_is_not_an_upload_of_this_server_cannot_be_a_part(api: Api, url: str) -> None:
    response = await create(api, Upload_Concat=f"final;{url}", Upload_Metadata=NAMED)

    assert response.status == 400
    assert await stored(api) is None


async def test_an_unknown_part_is_not_found(api: Api) -> None:
    response = await create(
        api, Upload_Concat="final;/v1/uploads/there-is-none", Upload_Metadata=NAMED
    )

    assert response.status == 404


async def test_only_parts_can_be_joined(api: Api) -> None:
    url = await begin(api, 5)
    await patch(api, url, 0, b"hello")

    response = await create(api, Upload_Concat=f"final;{url}", Upload_Metadata=NAMED)

    assert response.status in (400, 404)


@pytest.mark.parametrize("value", ["final", "final;", "final; ", "Partial", "final,/a", "whole"])
async def test_a_malformed_concat_is_refused(api: Api, value: str) -> None:
    response = await create(api, Upload_Concat=value, Upload_Metadata=NAMED)

    assert response.status == 400


@pytest.mark.parametrize("field", ["Upload_Length", "Upload_Defer_Length"])
async def test_a_final_upload_has_no_length_of_its_own(api: Api, field: str) -> None:
    url = await begin_part(api, b"a")

    response = await create(
        api, Upload_Concat=f"final;{url}", Upload_Metadata=NAMED, **{field: "1"}
    )

    assert response.status == 400


async def test_a_final_upload_has_no_bytes_of_its_own(api: Api) -> None:
    url = await begin_part(api, b"a")

    response = await create(api, b"b", Upload_Concat=f"final;{url}", Upload_Metadata=NAMED)

    assert response.status == 400


@pytest.mark.parametrize("complete", [True, False])
async def test_a_final_upload_cannot_be_patched(api: Api, *, complete: bool) -> None:
    part = await begin_part(api, b"hello", complete=complete)
    final = await join(api, part)

    response = await patch(api, final, 5 if complete else 0, b"more")

    assert response.status == 403
    assert await offset_of(api, part) == (5 if complete else 0)
    assert await stored(api) == (b"hello" if complete else None)


async def test_metadata_of_parts_are_not_inherited(api: Api) -> None:
    url = await begin(
        api, 1, "", Upload_Concat="partial", Upload_Metadata=metadata(filename="part", note="x")
    )
    await patch(api, url, 0, b"a")
    final = await join(api, url)

    response = await head(api, final)

    assert response.headers["Upload-Metadata"] == NAMED
    assert await stored(api, "part") is None


async def test_a_part_can_be_repeated(api: Api) -> None:
    url = await begin_part(api, b"ab")

    await join(api, url, url, url)

    assert await stored(api) == b"ababab"


async def test_a_part_can_be_used_again(api: Api) -> None:
    first, second = await begin_part(api, b"1"), await begin_part(api, b"2")

    await join(api, first, second, named=metadata(filename="a"))
    await join(api, second, first, named=metadata(filename="b"))

    assert (await stored(api, "a"), await stored(api, "b")) == (b"12", b"21")


async def test_parts_of_no_bytes_can_be_joined(api: Api) -> None:
    await join(api, await begin_part(api, b""), await begin_part(api, b"a"))

    assert await stored(api) == b"a"


async def test_large_parts_sent_at_once_are_joined(api: Api) -> None:
    pieces = [bytes([n]) * 3_000_000 for n in range(4)]

    urls = await asyncio.gather(*(begin_part(api, piece) for piece in pieces))
    await join(api, *urls)

    assert await stored(api) == b"".join(pieces)


async def test_the_joined_is_held_against_the_sha256_in_the_metadata(api: Api) -> None:
    url = await begin_part(api, b"hello")

    response = await create(
        api,
        Upload_Concat=f"final;{url}",
        Upload_Metadata=metadata(filename="file.bin", sha256="0" * 64),
    )

    assert response.status == 400
    assert await code_of(response) == "digest-mismatch"
    assert "Location" not in response.headers
    assert await stored(api) is None


async def test_a_final_upload_replaces_only_what_it_may(api: Api) -> None:
    await api.put("file.bin", b"old")
    url = await begin_part(api, b"hello")

    response = await create(
        api, Upload_Concat=f"final;{url}", Upload_Metadata=NAMED, If_None_Match="*"
    )

    assert response.status == 412
    assert await stored(api) == b"old"


# --- parts of one file that lie in it from the start ---------------------------------------------


async def begin_piece(api: Api, group: str, start: int, length: int) -> str:
    named = metadata(filename="file.bin", penstock_group=group, penstock_start=str(start))
    return await begin(api, length, "", Upload_Concat="partial", Upload_Metadata=named)


async def test_pieces_of_one_file_are_joined(api: Api) -> None:
    first = await begin_piece(api, "g", 0, HALF)
    second = await begin_piece(api, "g", HALF, HALF)
    await patch(api, second, 0, DATA[HALF:])
    await patch(api, first, 0, DATA[:HALF])

    await join(api, first, second)

    assert await stored(api) == DATA


async def test_pieces_of_a_key_are_listed(api: Api) -> None:
    await begin_piece(api, "g", HALF, HALF)

    response, _ = await api.call("GET", "/v1/uploads?key=file.bin")

    (upload,) = (await response.json())["uploads"]
    assert (upload["kind"], upload["group"], upload["start"]) == ("partial", "g", HALF)


# --- concatenation-unfinished --------------------------------------------------------------------


async def test_a_final_upload_can_come_before_its_parts(api: Api) -> None:
    first = await begin_part(api, b"hello ", complete=False)
    second = await begin_part(api, b"world")

    created = await create(api, Upload_Concat=f"final;{first} {second}", Upload_Metadata=NAMED)
    before = await head(api, created.headers["Location"])
    await patch(api, first, 0, b"hello ")
    after = await head(api, created.headers["Location"])

    assert created.status == 201
    assert "Upload-Offset" not in created.headers
    assert "Upload-Offset" not in before.headers
    assert before.headers["Upload-Length"] == "11"
    assert after.headers["Upload-Offset"] == after.headers["Upload-Length"] == "11"
    assert await stored(api) == b"hello world"


async def test_the_last_part_finishes_the_final_upload(api: Api) -> None:
    first = await begin_part(api, b"hello ", complete=False)
    second = await begin_part(api, b"world", complete=False)
    await join(api, first, second)

    await patch(api, second, 0, b"world")
    await patch(api, first, 0, b"hello ")

    assert await becomes(api, b"hello world")


async def test_the_length_of_a_final_upload_is_told_once_it_is_known(api: Api) -> None:
    part = await begin(api, None, "", Upload_Concat="partial")
    final = await join(api, part, await begin_part(api, b"ab"))
    before = await head(api, final)

    await patch(api, part, 0, b"", Upload_Length="5")
    after = await head(api, final)

    assert "Upload-Length" not in before.headers
    assert "Upload-Defer-Length" not in before.headers
    assert after.headers["Upload-Length"] == "7"


async def test_looking_at_a_final_upload_does_not_disturb_its_parts(api: Api) -> None:
    part = await begin_part(api, DATA, complete=False)
    final = await join(api, part)

    async with half_sent(api.port, patch_head(part, 0, len(DATA)), DATA[:10]) as (reader, writer):
        await arrived(api, 10)
        assert (await head(api, final)).status == 200
        writer.write(DATA[10:])
        line = await reader.readline()

    assert b" 204 " in line
    assert await becomes(api, DATA)


async def test_a_final_upload_can_be_terminated_before_its_parts_are_there(api: Api) -> None:
    part = await begin_part(api, b"hello", complete=False)
    final = await join(api, part)

    assert (await ask(api, "DELETE", final)).status == 204
    await patch(api, part, 0, b"hello")

    assert await stored(api) is None
