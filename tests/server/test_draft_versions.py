"""The older versions of the IETF draft, which phones and browsers out there speak."""

import pytest

from tests.server.conftest import Api
from tests.server.drafting import DATA, OCTETS, ask, digest, limits, look, put

HALF = len(DATA) // 2
OLD = {"Upload_Draft_Interop_Version": "3"}


@pytest.mark.parametrize("version", ["5", "6", "8"])
async def test_an_upload_in_two_parts(api: Api, version: str) -> None:
    named = {"Upload_Draft_Interop_Version": version}
    typed = {} if version == "5" else {"Content_Type": OCTETS}
    created = await put(api.port, "a", DATA[:HALF], Upload_Complete="?0", **named)
    url = created.headers["Location"]

    state = await look(api.port, url, **named)
    final = await ask(
        api.port,
        "PATCH",
        url,
        DATA[HALF:],
        Upload_Offset=str(HALF),
        Upload_Complete="?1",
        **named,
        **typed,
    )

    assert (created.status, state.status, final.status) == (201, 204, 201)
    assert state.offset == HALF
    assert [a.headers["Upload-Complete"] for a in (created, state, final)] == ["?0", "?0", "?1"]
    assert await api.get("/v1/files/a") == DATA


async def test_version_3_says_what_is_incomplete(api: Api) -> None:
    created = await put(api.port, "a", DATA[:HALF], Upload_Incomplete="?1", **OLD)
    url = created.headers["Location"]
    state = await look(api.port, url, **OLD)
    part = await ask(
        api.port,
        "PATCH",
        url,
        DATA[HALF:-1],
        Upload_Offset=str(HALF),
        Upload_Incomplete="?1",
        **OLD,
    )
    final = await ask(
        api.port,
        "PATCH",
        url,
        DATA[-1:],
        Upload_Offset=str(len(DATA) - 1),
        Upload_Incomplete="?0",
        **OLD,
    )

    answers = (created, state, part, final)
    assert [answer.status for answer in answers] == [201, 204, 201, 201]
    assert [a.headers["Upload-Incomplete"] for a in answers] == ["?1", "?1", "?1", "?0"]
    assert [a.offset for a in answers] == [HALF, HALF, len(DATA) - 1, len(DATA)]
    assert not any("Upload-Complete" in answer.headers for answer in answers)
    assert await api.get("/v1/files/a") == DATA


async def test_version_3_leaves_the_field_out_of_the_last_part(api: Api) -> None:
    created = await put(api.port, "a", DATA[:HALF], Upload_Incomplete="?1", **OLD)

    final = await ask(
        api.port,
        "PATCH",
        created.headers["Location"],
        DATA[HALF:],
        Upload_Offset=str(HALF),
        **OLD,
    )

    assert final.status == 201
    assert await api.get("/v1/files/a") == DATA


async def test_version_3_refuses_a_status_request_that_claims_to_know(api: Api) -> None:
    created = await put(api.port, "a", DATA, Upload_Incomplete="?1", **OLD)
    url = created.headers["Location"]

    head = await look(api.port, url, Upload_Offset="0", **OLD)
    delete = await ask(api.port, "DELETE", url, Upload_Incomplete="?1", **OLD)

    assert (head.status, delete.status) == (400, 400)


async def test_version_3_conflicts_tell_the_offset(api: Api) -> None:
    created = await put(api.port, "a", DATA[:HALF], Upload_Incomplete="?1", **OLD)

    answer = await ask(
        api.port, "PATCH", created.headers["Location"], DATA, Upload_Offset="1", **OLD
    )

    assert (answer.status, answer.offset) == (409, HALF)
    assert answer.headers["Upload-Incomplete"] == "?1"


@pytest.mark.parametrize("version", ["3", "5", "6"])
async def test_older_versions_name_the_upload_in_every_answer_to_a_creation(
    api: Api, version: str
) -> None:
    mark = {"Upload_Incomplete": "?0"} if version == "3" else {"Upload_Complete": "?1"}

    answer = await put(api.port, "a", DATA, Upload_Draft_Interop_Version=version, **mark)

    assert answer.status == 201
    assert answer.headers["Location"] == answer.interim[0].headers["Location"]
    assert answer.headers["Content-Location"] == "/v1/files/a"
    assert answer.offset == len(DATA)


async def test_version_5_has_no_media_type_and_acknowledges_with_201(api: Api) -> None:
    named = {"Upload_Draft_Interop_Version": "5"}
    created = await put(api.port, "a", Upload_Complete="?0", **named)

    part = await ask(
        api.port,
        "PATCH",
        created.headers["Location"],
        DATA,
        Upload_Offset="0",
        Upload_Complete="?0",
        **named,
    )

    assert (part.status, part.offset) == (201, len(DATA))


async def test_version_6_needs_the_media_type(api: Api) -> None:
    named = {"Upload_Draft_Interop_Version": "6"}
    created = await put(api.port, "a", Upload_Complete="?0", **named)

    part = await ask(
        api.port,
        "PATCH",
        created.headers["Location"],
        DATA,
        Upload_Offset="0",
        Upload_Complete="?0",
        **named,
    )

    assert part.status == 415


async def test_version_6_calls_the_lifetime_by_its_old_name(api: Api) -> None:
    named = {"Upload_Draft_Interop_Version": "6"}

    created = await put(api.port, "a", Upload_Complete="?0", **named)

    assert "expires" in limits(created)
    assert "max-age" not in limits(created)


@pytest.mark.parametrize("version", ["5", "6", "8"])
async def test_every_answer_has_the_version_that_the_request_named(api: Api, version: str) -> None:
    named = {"Upload_Draft_Interop_Version": version}
    created = await put(api.port, "a", DATA, Upload_Complete="?0", **named)
    url = created.headers["Location"]
    wrong = {"Upload_Offset": "1", "Upload_Complete": "?0", "Content_Type": OCTETS}

    answers = [
        created,
        await look(api.port, url, **named),
        await ask(api.port, "PATCH", url, DATA, **wrong, **named),
        await put(api.port, "a", DATA, Upload_Complete="?1", **named),
    ]

    assert [answer.status for answer in answers] == [201, 204, 409, 201]
    for answer in answers:
        assert answer.headers["Upload-Draft-Interop-Version"] == version
    assert "Upload-Draft-Interop-Version" not in (await look(api.port, url)).headers


async def test_an_upload_may_change_its_version_on_the_way(api: Api) -> None:
    created = await put(api.port, "a", DATA[:HALF], Upload_Incomplete="?1", **OLD)

    state = await look(api.port, created.headers["Location"], Want_Repr_Digest="sha-256=5")

    assert state.headers["Upload-Complete"] == "?0"
    assert state.headers["Repr-Digest"] == digest(DATA[:HALF])
