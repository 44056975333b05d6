"""Clients that are not ours speak the IETF draft, or break a plain PUT that others finish."""

import asyncio
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.client.proxy import proxy_to
from tests.eventually import eventually
from tests.npm import node, npm_packages
from tests.server.conftest import Api
from tests.server.drafting import begin, digest, look, patch
from tests.server.programs import run
from tests.server.tus_speaking import ask as ask_tus
from tests.server.tus_speaking import patch as patch_tus

MIB = 1 << 20
JS = Path(__file__).with_name("js")
DRAFT_05 = "ietf-draft-05"
DRAFT_03 = "ietf-draft-03"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(12 * MIB))
    return path


async def stored(api: Api, key: str) -> str:
    data = await api.get(f"/v1/files/{key}")
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def curl(*words: str | Path) -> tuple[int, str]:
    """The exit code, and what curl tells of the conversation."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    process = await asyncio.create_subprocess_exec(
        *[program, "-sS", "-v", "-m", "60", *words],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    assert process.returncode is not None
    return process.returncode, told.decode(errors="replace")


async def test_curl_sees_where_its_upload_is(api: Api, source: Path) -> None:
    url = f"http://127.0.0.1:{api.port}/v1/files/a"
    fields = ["-H", "Upload-Complete: ?1", "-H", "Upload-Draft-Interop-Version: 8"]

    code, told = await curl("-T", source, *fields, "-H", "Expect: 100-continue", url)

    assert code == 0
    assert "< HTTP/1.1 104 Upload Resumption Supported" in told
    assert "< Location: /v1/uploads/" in told
    assert "< HTTP/1.1 100 Continue" in told
    assert "< HTTP/1.1 201 Created" in told
    assert await stored(api, "a") == sha256_of(source)


async def test_curl_that_names_no_version_sees_no_interim_response(api: Api, source: Path) -> None:
    url = f"http://127.0.0.1:{api.port}/v1/files/a"

    code, told = await curl("-T", source, "-H", "Upload-Complete: ?1", "-H", "Expect:", url)

    assert code == 0
    assert "HTTP/1.1 1" not in told


async def test_node_is_informed_on_the_way(api: Api, source: Path) -> None:
    url = f"http://127.0.0.1:{api.port}/v1/files/a"

    told: dict[str, Any] = json.loads(await run(node(), JS / "informed.mjs", url, source))

    (interim,) = [head for head in told["interim"] if "location" in head["headers"]]
    assert interim["statusCode"] == 104
    assert interim["headers"]["upload-draft-interop-version"] == "8"
    assert interim["headers"]["location"].startswith("/v1/uploads/")
    assert told["final"]["statusCode"] == 201
    assert told["final"]["headers"]["upload-complete"] == "?1"
    assert await stored(api, "a") == sha256_of(source)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("package", ["tus-js-client@4.3.1", "tus-js-client@5.0.0-pre2"])
@pytest.mark.parametrize("protocol", [DRAFT_03, DRAFT_05])
@pytest.mark.parametrize("during_creation", [False, True])
async def test_tus_js_client_goes_on_after_cuts(
    api: Api, source: Path, package: str, protocol: str, during_creation: bool
) -> None:
    modules = await asyncio.to_thread(npm_packages, package)
    options = {
        "protocol": protocol,
        "metadata": {"filename": "a", "filetype": "image/png"},
        "uploadDataDuringCreation": during_creation,
        "chunkSize": 5 * MIB,
    }
    async with proxy_to(f"http://127.0.0.1:{api.port}") as proxy:
        proxy.cut_requests = [6 * MIB, 2 * MIB]
        endpoint = f"{proxy.url}/v1/uploads"

        script = JS / "drafted.mjs"
        out = await run(node(), script, modules, endpoint, source, json.dumps(options))

    told = json.loads(out)
    assert proxy.cut_requests == []
    assert told[0][0] == "POST"
    assert ["HEAD", 204] in told
    assert await stored(api, "a") == sha256_of(source)
    info = await api.services.store.stat("a")
    assert info.content_type == "image/png"


async def test_a_final_answer_that_the_network_lost_is_given_again(api: Api, source: Path) -> None:
    whole = source.read_bytes()
    url = await begin(api.port, whole[:MIB], "a")
    async with proxy_to(f"http://127.0.0.1:{api.port}") as proxy:
        proxy.cut_answers = [1]
        port = urlsplit(proxy.url).port
        assert port is not None
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await patch(port, url, MIB, whole[MIB:], "?1")

        state = await look(port, url)
        answer = await patch(port, url, state.offset, b"", "?1")

    assert state.headers["Upload-Complete"] == "?1"
    assert state.offset == len(whole)
    assert answer.status == 201
    assert answer.document["sha256"] == sha256_of(source)
    assert answer.headers["Location"] == "/v1/files/a"


async def broken_by_the_network(api: Api, source: Path) -> None:
    """A plain PUT of curl's that a proxy cuts after some MiB."""
    async with proxy_to(f"http://127.0.0.1:{api.port}") as proxy:
        proxy.cut_requests = [6 * MIB]
        code, _ = await curl("-T", source, "-H", "Expect:", f"{proxy.url}/v1/files/a")
    assert code != 0


async def broken_by_the_user(api: Api, source: Path) -> None:
    """A plain PUT of curl's that is killed on its way."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    url = f"http://127.0.0.1:{api.port}/v1/files/a"
    process = await asyncio.create_subprocess_exec(
        program, "-sS", "--limit-rate", "4M", "-T", source, url
    )
    data = api.services.settings.data
    arriving = [path for path in data.rglob("*") if path.is_dir()]

    def size() -> int:
        return sum(p.stat().st_size for folder in arriving for p in folder.glob("*.0"))

    assert await eventually(lambda: size() >= 2 * MIB)
    process.kill()
    await process.wait()


@pytest.mark.parametrize("broken", [broken_by_the_network, broken_by_the_user])
@pytest.mark.parametrize("protocol", ["draft", "tus"])
async def test_a_put_of_curl_that_broke_is_finished(
    api: Api, source: Path, broken: Any, protocol: str
) -> None:
    await broken(api, source)
    assert await eventually(lambda: api.services.traffic.transfers == 0)
    whole = source.read_bytes()
    _, body = await api.call("GET", "/v1/uploads?key=a")
    (upload,) = json.loads(body)["uploads"]
    url = upload["url"]

    state = await look(api.port, url, Want_Repr_Digest="sha-256=1")
    assert state.offset > 0
    assert state.headers["Repr-Digest"] == digest(whole[: state.offset])
    if protocol == "draft":
        assert (await patch(api.port, url, state.offset, whole[state.offset :], "?1")).status == 201
    else:
        head = await ask_tus(api, "HEAD", url)
        assert int(head.headers["Upload-Offset"]) == state.offset
        assert (await patch_tus(api, url, state.offset, whole[state.offset :])).status == 204

    assert await stored(api, "a") == sha256_of(source)
