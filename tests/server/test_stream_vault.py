"""``/create-job``, ``/job/{id}`` and ``/health`` answer as StreamVault means to."""

import asyncio
import json
import re
import zipfile
from io import BytesIO
from secrets import token_hex
from typing import Any

import aiohttp
import pytest
from psycopg import AsyncConnection

from tests.s3.conftest import prefix, s3_server
from tests.s3.servers import S3Server
from tests.server.conftest import Api, StartApi

__all__ = ["prefix", "s3_server"]

JSON = {"Content_Type": "application/json"}
ENDED = ("completed", "failed")


@pytest.fixture
async def memory(start_api: StartApi) -> Api:
    return await start_api(store="memory://")


async def asked(api: Api, s3_key: object) -> tuple[int, dict[str, Any]]:
    response, body = await api.call("POST", "/create-job", json.dumps({"s3Key": s3_key}), **JSON)
    return response.status, json.loads(body)


async def created(api: Api, s3_key: str) -> dict[str, Any]:
    status, document = await asked(api, s3_key)
    assert status == 201, document
    return document


async def details(api: Api, job_id: str) -> dict[str, Any]:
    response, body = await api.call("GET", f"/job/{job_id}")
    document = json.loads(body)
    assert response.status == 200, document
    assert document["message"] == "Job details retrieved successfully"
    found: dict[str, Any] = document["jobDetails"]
    return found


async def ended(api: Api, job_id: str) -> dict[str, Any]:
    """The details of a job once it has ended."""
    async with asyncio.timeout(60):
        while (found := await details(api, job_id))["state"] not in ENDED:
            await asyncio.sleep(0.05)
    return found


async def zipped(api: Api, job: dict[str, Any]) -> dict[str, bytes]:
    """What is in the archive behind the link of a job."""
    async with aiohttp.request("GET", job["result"]["downloadUrl"]) as response:
        assert response.status == 200
        body = await response.read()
    with zipfile.ZipFile(BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_a_folder_is_archived(memory: Api) -> None:
    await memory.put("docs/a.txt", b"a" * 900_000)
    await memory.put("docs/deep/b.txt", b"b" * 1_200)

    answer = await created(memory, "docs")

    assert list(answer) == [
        "message",
        "s3Key",
        "sizeOfFolder",
        "thresholdValueInGB",
        "createdAt",
        "jobId",
        "isLargeDownload",
    ]
    assert re.fullmatch(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d [AP]M", answer.pop("createdAt"))
    assert answer == {
        "message": "Small download job created successfully",
        "s3Key": "docs",
        "sizeOfFolder": "880.08 KB",
        "thresholdValueInGB": 5,
        "jobId": "docs-small",
        "isLargeDownload": False,
    }


async def test_the_job_tells_the_link_in_the_end(memory: Api) -> None:
    await memory.put("docs/a.txt", b"a" * 900_000)
    await memory.put("docs/deep/b.txt", b"b" * 1_200)
    answer = await created(memory, "docs/")

    job = await ended(memory, "docs_-small")

    assert job["data"] == {
        **{name: answer[name] for name in ("s3Key", "sizeOfFolder", "thresholdValueInGB")},
        "createdAt": answer["createdAt"],
        "jobId": "docs_-small",
        "progress": 100,
        "state": "completed",
    }
    assert (job["jobId"], job["name"]) == ("docs_-small", "small-download")
    assert (job["progress"], job["state"], job["failReason"]) == (100, "completed", None)
    assert job["attempts"] >= 3
    assert job["backoff"] == {"delay": 1000, "type": "exponential"}
    assert job["removeOnComplete"]["age"] >= 3600
    assert job["removeOnFail"]["count"] >= 10
    assert job["result"] == {
        "downloadUrl": f"http://127.0.0.1:{memory.port}/v1/files/exports/docs.zip",
        "status": "completed",
        "totalSize": "880.08 KB",
        "noOfFiles": 2,
    }
    assert await zipped(memory, job) == {
        "docs/a.txt": b"a" * 900_000,
        "docs/deep/b.txt": b"b" * 1_200,
    }


@pytest.mark.parametrize(
    ("s3_key", "job_id"),
    [
        ("__outputs/", "__outputs_-small"),
        ("path/to/folder", "path_to_folder-small"),
        ("/docs", "_docs-small"),
        ("ä ö", "___-small"),
        ("\N{ROCKET}", "__-small"),
    ],
)
async def test_the_id_is_made_of_the_name(memory: Api, s3_key: str, job_id: str) -> None:
    assert (await created(memory, s3_key))["jobId"] == job_id
    assert (await details(memory, job_id))["data"]["s3Key"] == s3_key


@pytest.mark.parametrize("size", [21, 1152, 1 << 20])
async def test_a_folder_is_large_by_its_bytes(start_api: StartApi, size: int) -> None:
    api = await start_api(store="memory://", archive_threshold=1152)
    await api.put("docs/a", bytes(size))

    answer = await created(api, "docs")

    lane = "large" if size > 1152 else "small"
    told = {21: "21.00 B", 1152: "1.13 KB", 1 << 20: "1.00 MB"}
    assert answer["message"] == f"{lane.capitalize()} download job created successfully"
    assert answer["sizeOfFolder"] == told[size]
    assert answer["thresholdValueInGB"] == 1152 / (1 << 30)
    assert answer["isLargeDownload"] is (lane == "large")
    assert (await details(api, f"docs-{lane}"))["name"] == f"{lane}-download"


async def test_a_folder_never_takes_one_whose_name_begins_alike(memory: Api) -> None:
    await memory.put("docs/a", b"a")
    await memory.put("docs2/b", b"b")

    await created(memory, "docs")

    assert await zipped(memory, await ended(memory, "docs-small")) == {"docs/a": b"a"}


async def test_names_keep_what_looks_like_an_accident(memory: Api) -> None:
    await memory.put("docs/undefined/3.txt", b"3")

    await created(memory, "docs")

    archive = await zipped(memory, await ended(memory, "docs-small"))
    assert archive == {"docs/undefined/3.txt": b"3"}


async def test_two_folders_never_share_a_job(memory: Api) -> None:
    await memory.put("c-1/first", b"1")
    await memory.put("c_1/second", b"2")

    first, second = await created(memory, "c-1/"), await created(memory, "c_1/")

    assert first["jobId"] == "c_1_-small"
    assert re.fullmatch("c_1_-[0-9a-f]{12}-small", second["jobId"])
    one, two = await ended(memory, first["jobId"]), await ended(memory, second["jobId"])
    assert (one["data"]["s3Key"], two["data"]["s3Key"]) == ("c-1/", "c_1/")
    assert await zipped(memory, one) == {"c-1/first": b"1"}
    assert await zipped(memory, two) == {"c_1/second": b"2"}


async def test_ids_outlive_a_restart(start_api: StartApi) -> None:
    api = await start_api(worker=False)
    await api.put("c-1/first", bytes(2048))
    await api.put("c_1/second", b"2")
    ids = [(await created(api, name))["jobId"] for name in ("c-1/", "c_1/")]

    again = await start_api(worker=False)

    assert [(await created(again, name))["jobId"] for name in ("c-1/", "c_1/")] == ids
    data = (await details(again, ids[0]))["data"]
    assert (data["s3Key"], data["sizeOfFolder"], data["state"]) == ("c-1/", "2.00 KB", "waiting")


async def test_the_size_is_known_after_a_restart(start_api: StartApi) -> None:
    api = await start_api(worker=False)
    await api.put("docs/a", bytes(2048))
    await created(api, "docs")

    again = await start_api(worker=False)

    assert (await details(again, "docs-small"))["data"]["sizeOfFolder"] == "2.00 KB"


async def test_who_asks_at_once_for_two_folders_gets_two_jobs(start_api: StartApi) -> None:
    api = await start_api(store="memory://", worker=False)
    await api.put("c-1/first", b"1")
    await api.put("c_1/second", b"2")

    one, two = await asyncio.gather(created(api, "c-1/"), created(api, "c_1/"))

    assert one["jobId"] != two["jobId"]
    for answer in (one, two):
        job = await details(api, answer["jobId"])
        assert (job["data"]["s3Key"], job["state"]) == (answer["s3Key"], "waiting")


async def test_asking_again_begins_nothing_new(memory: Api) -> None:
    await memory.put("docs/a", b"a")
    first = await created(memory, "docs")
    await ended(memory, "docs-small")

    second = await created(memory, "docs")

    assert second == first
    assert len(await memory.services.jobs.page(owner=None)) == 1


async def test_a_changed_folder_is_archived_again(memory: Api) -> None:
    await memory.put("docs/a", b"a")
    await created(memory, "docs")
    await ended(memory, "docs-small")
    await memory.put("docs/b", b"b")

    await created(memory, "docs")

    job = await ended(memory, "docs-small")
    assert await zipped(memory, job) == {"docs/a": b"a", "docs/b": b"b"}


async def test_a_folder_with_nothing_in_it_is_an_empty_zip(memory: Api) -> None:
    answer = await created(memory, "nowhere")

    assert answer["sizeOfFolder"] == "0.00 B"
    job = await ended(memory, "nowhere-small")
    assert job["result"]["noOfFiles"] == 0
    assert await zipped(memory, job) == {}


async def test_a_failed_job_is_tried_again_when_it_is_asked_for_again(api: Api) -> None:
    await api.put("docs/a", b"a")
    await api.put("exports", b"a file where the folder of the archives should be")
    await created(api, "docs")
    failed = await ended(api, "docs-small")
    await api.call("DELETE", "/v1/files/exports")

    await created(api, "docs")

    done = await ended(api, "docs-small")
    assert (failed["state"], failed["result"]) == ("failed", None)
    assert "exports" in failed["failReason"]
    assert (done["state"], done["failReason"]) == ("completed", None)
    assert await zipped(api, done) == {"docs/a": b"a"}


async def test_a_cancelled_job_has_failed(start_api: StartApi) -> None:
    api = await start_api(worker=False)
    await created(api, "docs")
    (job,) = await api.services.jobs.page(owner=None)
    await api.call("DELETE", f"/v1/jobs/{job.id}")

    found = await details(api, "docs-small")

    assert (found["state"], found["failReason"]) == ("failed", "the job was cancelled")


async def test_an_id_whose_job_was_cancelled_may_go_to_another_folder(start_api: StartApi) -> None:
    api = await start_api(store="memory://", worker=False)
    await created(api, "c-1")
    (job,) = await api.services.jobs.page(owner=None)
    await api.call("DELETE", f"/v1/jobs/{job.id}")

    answer = await created(api, "c_1")

    found = await details(api, answer["jobId"])
    assert (found["data"]["s3Key"], found["state"]) == ("c_1", "waiting")


@pytest.mark.parametrize("body", [b"{}", b'{"s3Key": ""}', b'{"s3Key": null}', b"[]", b'"docs"'])
async def test_without_a_folder_it_is_refused(memory: Api, body: bytes) -> None:
    response, answer = await memory.call("POST", "/create-job", body, **JSON)

    assert response.status == 400
    assert json.loads(answer) == {"error": "Folder Path is required to begin the download"}


@pytest.mark.parametrize("body", [b"", b"{", b'{"s3Key": "docs"', b"[" * 10_000, b"\xff"])
async def test_malformed_json_is_refused_in_json(memory: Api, body: bytes) -> None:
    response, answer = await memory.call("POST", "/create-job", body, **JSON)

    assert (response.status, response.content_type) == (400, "application/json")
    assert list(json.loads(answer)) == ["error"]
    assert b"Traceback" not in answer


@pytest.mark.parametrize("s3_key", [7, True, {"a": 1}, ["docs"], "\ud800", "a//b", "../up", "a\0b"])
async def test_what_names_no_folder_is_refused(memory: Api, s3_key: object) -> None:
    status, answer = await asked(memory, s3_key)

    assert status == 400
    assert list(answer) == ["error"]


async def test_another_type_of_body_is_refused(memory: Api) -> None:
    response, answer = await memory.call(
        "POST", "/create-job", b"s3Key=docs", Content_Type="application/x-www-form-urlencoded"
    )

    assert response.status == 415
    assert list(json.loads(answer)) == ["error"]


async def test_a_body_without_end_is_refused(memory: Api) -> None:
    status, answer = await asked(memory, "a" * (1 << 17))

    assert status == 413
    assert list(answer) == ["error"]


async def test_an_unknown_job_is_not_found(memory: Api) -> None:
    response, body = await memory.call("GET", "/job/docs-small")

    assert (response.status, json.loads(body)) == (404, {"error": "Job not found"})


async def test_what_can_be_no_id_is_no_job(start_api: StartApi, postgres: str) -> None:
    name = f"d{token_hex(8)}"
    async with await AsyncConnection.connect(
        postgres.replace("+psycopg", ""), autocommit=True
    ) as connection:
        await connection.execute(f"CREATE DATABASE {name}".encode())
    api = await start_api(catalog=f"{postgres.rpartition('/')[0]}/{name}")

    response, _ = await api.call("GET", "/job/a%00b")

    assert response.status == 404


async def test_a_job_without_an_id_is_refused(memory: Api) -> None:
    response, body = await memory.call("GET", "/job/")

    assert (response.status, json.loads(body)) == (400, {"error": "Job ID is required"})


async def test_jobs_begun_otherwise_are_not_found_here(memory: Api) -> None:
    await memory.put("docs/a", b"a")
    response, body = await memory.call("POST", "/v1/archives", b'{"prefix": "docs"}', **JSON)
    assert response.status == 202

    response, _ = await memory.call("GET", f"/job/{json.loads(body)['id']}")

    assert response.status == 404


async def test_health_is_ok(memory: Api) -> None:
    response, body = await memory.call("GET", "/health")

    assert (response.status, response.content_type) == (200, "application/json")
    assert body == b'{"status":"ok"}'


async def test_on_s3_the_link_is_presigned(
    start_api: StartApi,
    s3_server: S3Server,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_S3_BUCKET", s3_server.bucket)
    monkeypatch.setenv("AWS_S3_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_S3_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    monkeypatch.setenv("AWS_S3_GENERATE_PRESIGNED_URL", "true")
    monkeypatch.setenv("AWS_S3_EXPORT_DESTINATION_PATH", f"{prefix}/out")
    api = await start_api()
    big, small = bytes(range(256)) * (6 << 12), b"small"
    await api.put(f"{prefix}/films/big.bin", big)
    await api.put(f"{prefix}/films/small.txt", small)

    answer = await created(api, f"{prefix}/films")

    assert answer["sizeOfFolder"] == "6.00 MB"
    job = await ended(api, answer["jobId"])
    assert job["failReason"] is None
    assert job["result"]["downloadUrl"].startswith(f"{s3_server.endpoint}/{s3_server.bucket}/")
    assert f"{prefix}/out/{prefix}/films.zip?" in job["result"]["downloadUrl"]
    assert await zipped(api, job) == {"films/big.bin": big, "films/small.txt": small}
