"""tus 1.0, expiration: an upload that nobody goes on with is kept for a while only."""

import asyncio
import time
from email.utils import parsedate_to_datetime

import aiohttp

from tests.server.conftest import Api, StartApi
from tests.server.tus_speaking import begin, begin_part, create, head, patch, stored

SOON = 0.2


def expires(response: aiohttp.ClientResponse) -> float:
    """Seconds since 1970 in ``Upload-Expires``, which must be an IMF-fixdate."""
    field = response.headers["Upload-Expires"]
    assert field.endswith(" GMT")
    assert len(field) == len("Wed, 25 Jun 2014 16:00:00 GMT")
    return parsedate_to_datetime(field).timestamp()


async def swept(api: Api) -> None:
    """Until the uploads begun so far have expired and are swept away."""
    await asyncio.sleep(2 * SOON)
    await api.services.uploads.sweeper.sweep()


async def test_every_answer_tells_when_the_upload_expires(start_api: StartApi) -> None:
    api = await start_api(upload_expiry=1000)
    created = await create(api, Upload_Length="10")
    url = created.headers["Location"]

    answers = [created, await patch(api, url, 0, b"hello"), await head(api, url)]

    assert all(900 < expires(answer) - time.time() <= 1001 for answer in answers)


async def test_an_upload_lives_longer_with_every_byte(start_api: StartApi) -> None:
    api = await start_api(upload_expiry=1000)
    created = await create(api, Upload_Length="10")
    await asyncio.sleep(1.1)

    later = await patch(api, created.headers["Location"], 0, b"hello")

    assert expires(later) > expires(created)


async def test_a_finished_upload_does_not_expire(api: Api) -> None:
    response = await create(api, b"hello", Upload_Length="5")

    assert "Upload-Expires" not in response.headers


async def test_a_finished_part_expires_until_it_is_joined(api: Api) -> None:
    response = await head(api, await begin_part(api, b"hello"))

    assert expires(response) > time.time()


async def test_an_expired_upload_is_gone(start_api: StartApi) -> None:
    api = await start_api(upload_expiry=SOON)
    url = await begin(api, 10)
    await patch(api, url, 0, b"hello")

    await swept(api)
    looked, resumed = await head(api, url), await patch(api, url, 5, b"world")

    assert looked.status in (404, 410)
    assert resumed.status in (404, 410)
    assert "Upload-Offset" not in looked.headers


async def test_an_expired_upload_frees_what_it_had(start_api: StartApi) -> None:
    api = await start_api(upload_expiry=SOON)
    await patch(api, await begin(api, 10), 0, b"hello")

    await swept(api)

    incoming = api.services.settings.data / "files/.penstock/incoming"
    assert list(incoming.iterdir()) == []


async def test_the_file_outlives_its_upload(start_api: StartApi) -> None:
    api = await start_api(upload_expiry=SOON)
    await patch(api, await begin(api, 5), 0, b"hello")

    await swept(api)

    assert await stored(api) == b"hello"
