"""A token that is bound to a folder reaches nothing outside of it, by any way."""

import asyncio
import json
import zipfile
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import FormData
from yarl import URL

from tests.server import archiving, tus_speaking
from tests.server.conftest import Api, StartApi
from tests.server.granting import ALL, FOLDER, As, guarded, with_token

SECRET = b"what nobody in the team may see"
OWN = b"what the team has"
REFUSED = (400, 403, 404)
JSON = {"Content_Type": "application/json"}
URL_OF_NOBODY = "http://192.0.2.1/film"


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    archiving.hasten(monkeypatch)
    return await guarded(start_api)


@pytest.fixture
async def owner(api: Api) -> As:
    """Who may do everything, and has a file outside of the folder and one in it."""
    owner = await with_token(api)
    for key, data in ((f"{FOLDER}own", OWN), ("other/secret", SECRET), ("team-mates/x", SECRET)):
        assert await owner.status("PUT", f"/v1/files/{key}", data) == 201
    return owner


@pytest.fixture
async def bound(api: Api, owner: As) -> As:
    """Who may do everything in the folder."""
    return await with_token(api, *ALL, prefix=FOLDER)


async def raw(who: As, method: str, path: str, data: Any = None) -> tuple[int, bytes]:
    """Ask for a path as it stands: clients of HTTP tidy dots away."""
    url = URL(f"http://127.0.0.1:{who.api.port}{path}", encoded=True)
    headers = {"Authorization": f"Bearer {who.token}"}
    async with who.api.session.request(method, url, data=data, headers=headers) as response:
        return response.status, await response.read()


async def secret_is_kept(owner: As) -> bool:
    """Whether nothing outside of the folder has changed."""
    _, secret = await owner.call("GET", "/v1/files/other/secret")
    listed = await owner.document("GET", "/v1/files")
    outside = {file["key"] for file in listed["files"] if not file["key"].startswith(FOLDER)}
    return secret == SECRET and outside == {"other/secret", "team-mates/x"}


NAMES = (
    "other/secret",
    "other%2Fsecret",
    "team/../other/secret",
    "team%2F..%2Fother%2Fsecret",
    "team/%2e%2e/other/secret",
    "team//../other/secret",
    "/other/secret",
    "./other/secret",
    "team-mates/x",
    "team",
    "TEAM/own",
    "new",
)


@pytest.mark.parametrize(
    ("route", "methods"),
    [("/v1/files/", ("GET", "HEAD", "PUT", "DELETE")), ("/files/", ("GET", "HEAD"))],
)
async def test_no_name_leads_out(
    owner: As, bound: As, route: str, methods: tuple[str, ...]
) -> None:
    for name in NAMES:
        for method in methods:
            data = b"overwritten" if method == "PUT" else None
            status, body = await raw(bound, method, route + name, data)
            assert status in REFUSED, (method, name)
            assert SECRET not in body, (method, name)

    assert await secret_is_kept(owner)


async def test_what_is_in_the_folder_is_its_own(bound: As) -> None:
    assert await bound.status("PUT", "/v1/files/team/new", b"new") == 201
    assert (await bound.call("GET", "/v1/files/team/new"))[1] == b"new"
    assert await bound.status("DELETE", "/v1/files/team/new") == 204
    listed = await bound.document("GET", f"/v1/files?prefix={FOLDER}")
    assert [file["key"] for file in listed["files"]] == [f"{FOLDER}own"]


async def test_only_the_folder_is_listed_and_the_refusal_names_it(bound: As) -> None:
    for query in ("", "prefix=", "prefix=team", "prefix=t", "prefix=other/", "after=a&delimiter=/"):
        response, body = await bound.call("GET", f"/v1/files?{query}")
        assert response.status == 403, query
        assert FOLDER in json.loads(body)["detail"]


async def test_nothing_outside_is_followed(bound: As) -> None:
    for query in ("follow=1", "follow=0", "follow=AAAAAAAAAAAAAAAAAAAAAA&offset=3"):
        for method in ("GET", "HEAD"):
            assert await bound.status(method, f"/v1/files/other/secret?{query}") == 403, query


SELECTIONS: tuple[dict[str, Any], ...] = (
    {"keys": ["other/secret"]},
    {"keys": ["team/own", "other/secret"]},
    {"prefixes": [""]},
    {"prefixes": ["other/"]},
    {"prefixes": ["team"]},
    {"prefixes": ["team/", "o"], "on_error": "report"},
)


async def test_no_zip_has_anything_from_outside(bound: As) -> None:
    for selection in SELECTIONS:
        query = urlencode(
            [("key", key) for key in selection.get("keys", [])]
            + [("prefix", prefix) for prefix in selection.get("prefixes", [])]
        )
        for path in ("/v1/zip", "/v1/zips"):
            status = await bound.status("POST", path, json.dumps(selection), **JSON)
            assert status == 403, selection
        for method in ("GET", "HEAD"):
            assert await bound.status(method, f"/v1/zip?{query}") == 403, selection


async def test_a_kept_zip_is_good_for_who_may_see_what_is_in_it(owner: As, bound: As) -> None:
    outside = await owner.document("POST", "/v1/zips", {"prefixes": ["other/"]})
    inside = await owner.document("POST", "/v1/zips", {"prefixes": [FOLDER]})

    assert await bound.status("GET", outside["url"]) == 403
    assert await bound.status("HEAD", outside["url"]) == 403
    _, body = await bound.call("GET", inside["url"])
    assert zipfile.ZipFile(BytesIO(body)).namelist() == ["team/own"]


NAMINGS: tuple[dict[str, str | bytes], ...] = (
    {"filename": "other/new"},
    {"filename": "new"},
    {"filename": "new", "path": "other"},
    {"filename": "x", "path": "team/../other"},
    {"name": "teamnew"},
)


async def test_no_upload_of_tus_begins_outside(owner: As, bound: As) -> None:
    for named in NAMINGS:
        for concat in ({}, {"Upload_Concat": "partial"}):
            status = await bound.status(
                "POST",
                "/v1/uploads",
                Tus_Resumable="1.0.0",
                Upload_Length="3",
                Upload_Metadata=tus_speaking.metadata(**named),
                **concat,
            )
            assert status in REFUSED, named
    assert await secret_is_kept(owner)


async def test_an_upload_without_a_name_gets_one_in_the_folder(bound: As) -> None:
    response, body = await bound.call(
        "POST", "/v1/uploads", Tus_Resumable="1.0.0", Upload_Length="3"
    )

    assert response.status == 201
    assert json.loads(body)["key"].startswith(f"{FOLDER}unnamed-")


async def _begun(who: As, key: str, **headers: str) -> str:
    response, _ = await who.call(
        "POST",
        "/v1/uploads",
        Tus_Resumable="1.0.0",
        Upload_Length="3",
        **({"Upload_Metadata": tus_speaking.metadata(filename=key)} if key else {}),
        **headers,
    )
    assert response.status == 201
    return response.headers["Location"]


async def test_an_upload_outside_is_not_found(owner: As, bound: As) -> None:
    upload = await _begun(owner, "other/new")
    patch = {"Content_Type": tus_speaking.OCTETS, "Upload_Offset": "0"}

    for more in ({"Tus_Resumable": "1.0.0"}, {"Upload_Complete": "?1"}):
        for method in ("HEAD", "GET", "PATCH", "DELETE"):
            fields = {**more, **(patch if method == "PATCH" else {})}
            data = b"abc" if method == "PATCH" else None
            assert await bound.status(method, upload, data, **fields) == 404
    overridden = {"X_HTTP_Method_Override": "DELETE", "Tus_Resumable": "1.0.0"}
    assert await bound.status("POST", upload, **overridden) == 404
    assert await owner.status("HEAD", upload, Tus_Resumable="1.0.0") == 200
    assert await bound.status("GET", "/v1/uploads?key=other/new") == 403


async def test_parts_of_others_are_not_joined(owner: As, bound: As) -> None:
    part = {"Upload_Concat": "partial", "Content_Type": tus_speaking.OCTETS}
    theirs = await _begun(owner, "other/part", **part)
    unnamed = await _begun(owner, "", **part)
    own = await _begun(bound, "", **part)
    named = tus_speaking.metadata(filename="team/joined")

    async def joined(*parts: str) -> int:
        return await bound.status(
            "POST",
            "/v1/uploads",
            Tus_Resumable="1.0.0",
            Upload_Concat=f"final;{' '.join(parts)}",
            Upload_Metadata=named,
        )

    assert await joined(own, theirs) == 403
    assert await joined(unnamed) == 403
    assert await joined(own) == 201


@pytest.mark.parametrize("complete", ["?0", "?1"])
async def test_no_upload_of_the_draft_begins_outside(owner: As, bound: As, complete: str) -> None:
    named = 'inline; filename="new"'
    fields = {"Upload_Complete": complete}

    assert await bound.status("PUT", "/v1/files/other/new", b"abc", **fields) == 403
    posted = await bound.status("POST", "/v1/uploads", b"abc", Content_Disposition=named, **fields)
    assert posted == 403
    assert await secret_is_kept(owner)


async def test_no_form_puts_anything_outside(owner: As, bound: As) -> None:
    for path, fields in (
        ("/v1/files", {"path": "other"}),
        ("/v1/files", {}),
        ("/v1/files", {"name": "team"}),
        ("/api/upload", {"filePath": "/other/"}),
        ("/api/upload", {"fileName": "other/new"}),
    ):
        form = FormData(fields)
        form.add_field("file", b"overwritten", filename="secret")
        assert await bound.status("POST", path, form) == 403

    assert await bound.status("POST", "/upload", b"abc", X_File_Name="other/secret") == 403
    assert await secret_is_kept(owner)


async def test_files_that_are_given_names_are_put_into_the_folder(owner: As, bound: As) -> None:
    form = FormData()
    form.add_field("file", b"from a form", filename="a.txt")

    assert await bound.status("POST", "/stream-upload", b"streamed") == 201
    assert await bound.status("POST", "/file-upload", form) == 201

    listed = await bound.document("GET", f"/v1/files?prefix={FOLDER}")
    assert sorted(file["size"] for file in listed["files"]) == [8, 11, len(OWN)]
    assert await secret_is_kept(owner)


async def test_nothing_is_pulled_to_a_place_outside(bound: As) -> None:
    wish = {"url": URL_OF_NOBODY, "key": "other/film"}

    assert await bound.status("POST", "/v1/pulls", json.dumps(wish), **JSON) == 403


async def test_pulls_and_jobs_of_others_are_not_there(owner: As, bound: As) -> None:
    theirs = await owner.document("POST", "/v1/pulls", {"url": URL_OF_NOBODY, "key": "team/film"})
    own = await bound.document("POST", "/v1/pulls", {"url": URL_OF_NOBODY, "key": "team/film"})

    assert own["id"] != theirs["id"]
    for kind in ("pulls", "jobs"):
        listed = await bound.document("GET", f"/v1/{kind}")
        assert [one["id"] for one in listed[kind]] == [own["id"]]
        everything = await owner.document("GET", f"/v1/{kind}")
        assert {one["id"] for one in everything[kind]} == {own["id"], theirs["id"]}
        path = f"/v1/{kind}/{theirs['id']}"
        for method, more in (("GET", ""), ("GET", "/events"), ("POST", "/retry"), ("DELETE", "")):
            assert await bound.status(method, path + more) == 404
        assert await bound.status("GET", f"/v1/{kind}/{own['id']}") == 200
    assert await bound.status("GET", f"/v1/jobs/{theirs['id']}/log") == 404


async def test_jobs_of_others_are_not_told_of(owner: As, bound: As) -> None:
    theirs = await owner.document("POST", "/v1/pulls", {"url": URL_OF_NOBODY, "key": "other/film"})
    own = await bound.document("POST", "/v1/pulls", {"url": URL_OF_NOBODY, "key": "team/film"})

    told = b""
    headers = {"Authorization": f"Bearer {bound.token}"}
    async with (
        asyncio.timeout(30),
        bound.api.session.get("/v1/jobs/events", headers=headers) as response,
    ):
        while own["id"].encode() not in told:
            told += await response.content.readany()
    assert theirs["id"].encode() not in told
    assert b"other/film" not in told


ARCHIVES = (
    {"prefix": ""},
    {"prefix": "other"},
    {"prefix": "team/../other"},
    {"prefix": "team", "key": "other/all.zip"},
    {"prefix": "team", "key": "exports/all.zip"},
    {"prefix": "te"},
)


async def test_no_archive_is_made_of_or_at_a_place_outside(owner: As, bound: As) -> None:
    for wish in ARCHIVES:
        for path in ("/v1/archives", "/v1/archives/plan"):
            assert (await archiving.ask(bound, wish, path))[0] in REFUSED, wish
    assert await secret_is_kept(owner)


async def test_archives_go_below_the_folder_and_not_into_the_next(bound: As) -> None:
    for _ in range(2):
        whole = await bound.document("POST", "/v1/archives", {"prefix": "team"})
        done = await archiving.standing(bound, whole, lambda one: one["state"] == "done")
        assert done["key"] == "team/exports/files.zip"
        _, body = await bound.call("GET", "/v1/files/team/exports/files.zip")
        assert zipfile.ZipFile(BytesIO(body)).namelist() == ["team/own"]
        # What was made of another folder is left out as well.
        assert await bound.status("PUT", "/v1/files/team/exports/photos.zip", b"made") in (200, 201)


async def test_archives_of_others_are_not_there(owner: As, bound: As) -> None:
    theirs = await owner.document("POST", "/v1/archives", {"prefix": "other"})

    assert (await bound.document("GET", "/v1/archives"))["archives"] == []
    path = f"/v1/archives/{theirs['id']}"
    for method, more in (("GET", ""), ("GET", "/events"), ("POST", "/retry"), ("DELETE", "")):
        assert await bound.status(method, path + more) == 404


async def test_the_routes_of_stream_vault_stay_in_the_folder(owner: As, bound: As) -> None:
    theirs = await owner.document("POST", "/create-job", {"s3Key": "other"})
    own = await bound.document("POST", "/create-job", {"s3Key": "team"})

    for s3_key in ("other", "/", "team/../other", "te"):
        spec = json.dumps({"s3Key": s3_key})
        assert await bound.status("POST", "/create-job", spec, **JSON) in REFUSED
    assert await bound.status("GET", f"/job/{theirs['jobId']}") == 404
    assert await bound.status("GET", f"/job/{own['jobId']}") == 200


async def test_nothing_outside_is_shared_and_no_link_of_others_is_seen(
    owner: As, bound: As
) -> None:
    theirs = await owner.document("POST", "/v1/shares", {"kind": "download", "keys": ["team/own"]})

    for wish in (
        {"kind": "download", "keys": ["other/secret"]},
        {"kind": "download", "prefixes": [""]},
        {"kind": "upload", "prefix": "other/"},
    ):
        assert await bound.status("POST", "/v1/shares", json.dumps(wish), **JSON) == 403
    assert (await bound.document("GET", "/v1/shares"))["shares"] == []
    assert await bound.status("DELETE", f"/v1/shares/{theirs['id']}") in (403, 404)
    assert [one["id"] for one in (await owner.document("GET", "/v1/shares"))["shares"]] == [
        theirs["id"]
    ]


async def test_an_admin_of_a_folder_is_not_one_of_the_server(bound: As) -> None:
    spec = json.dumps({"paused": True})

    assert await bound.status("PUT", "/v1/lanes/small", spec, **JSON) == 403
    assert await bound.status("GET", "/v1/tokens") == 403
    assert await bound.status("GET", "/v1/nodes") == 403
