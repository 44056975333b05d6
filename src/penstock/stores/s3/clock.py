"""What time it is at the server: signatures are good for some minutes only."""

import time
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from penstock.stores.s3.options import Place
from penstock.stores.s3.trouble import Broken

_PATIENCE: Final = 10.0


async def ahead(place: Place) -> float | None:
    """How many seconds the server's clock is ahead of this host's; ``None`` if it tells no time.

    It is told in whole seconds, so half a second is nothing. Nothing is signed: what the server
    answers does not matter.

    :raises Broken: there is no answer.
    """
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            before = time.time()
            async with session.get(f"{place.origin}/", allow_redirects=False) as answer:
                after = time.time()
                date = answer.headers.get("Date", "")
    except aiohttp.ClientConnectorCertificateError as error:
        raise Broken("its certificate is not trusted; SSL_CERT_FILE names an authority") from error
    except aiohttp.ClientConnectorError as error:
        raise Broken(error.os_error.strerror or "no connection") from error
    except TimeoutError:
        raise Broken("it does not answer in time") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Broken("the connection broke") from error
    try:
        told = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    return told + 0.5 - (before + after) / 2
