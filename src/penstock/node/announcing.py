"""Telling the locators, again and again, that a node lives."""

import asyncio
import logging
import random

import aiohttp

from penstock import __version__
from penstock.logs import note
from penstock.node.addresses import advertised, is_any, joined, locator_url
from penstock.node.context import Node
from penstock.node.options import Options
from penstock.node.telling import Locator
from penstock.server.serving import Traffic

TRIES = 5
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 2.0
"""A locator that was restarted must hear from us before we are suspect to it, after 5 seconds."""


class Announcing:
    """Says to every locator, each for itself, that ``node`` lives, until it is closed.

    Once ``traffic`` drains the node takes no more requests, so from then on it is not announced.

    :raises BadRequest: a locator, or the address to be advertised, is none.
    """

    def __init__(self, options: Options, node: Node, traffic: Traffic) -> None:
        self._urls = [locator_url(locator) for locator in options.locators]
        self._advertised = advertised(options.advertise)
        self._options = options
        self._node = node
        self._traffic = traffic
        self._session: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, port: int) -> None:
        """Announce from now on that the node listens on ``port``."""
        options = self._options
        here = self._advertised or ("" if is_any(options.host) else joined(options.host, port))
        headers = {"User-Agent": f"penstock/{__version__}"}
        if options.secret:
            headers["Authorization"] = f"Bearer {options.secret}"
        # What a locator sets is not kept: it is told every second, for years.
        self._session = aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.DummyCookieJar())
        for url in self._urls:
            locator = Locator(self._session, url, self._node, here, port)
            self._tasks.append(asyncio.create_task(self._tell_for_ever(locator)))

    async def close(self) -> None:
        """Announce no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _tell_for_ever(self, locator: Locator) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._traffic.draining:
            try:
                await self._tell(locator)
            except Exception:  # noqa: BLE001 - a node that fell silent would be taken for dead
                note("announcement failed", level=logging.ERROR, failed=True, locator=locator.url)
            due = max(due + self._options.interval, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _tell(self, locator: Locator) -> None:
        """Tell it once; several tries if it does not hear."""
        for failures in range(TRIES):
            if failures:
                pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (failures - 1))
                await asyncio.sleep(pause * random.uniform(1.0, 1.25))
            if self._traffic.draining or await locator.hears():
                return
