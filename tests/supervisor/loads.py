"""A load: clients that ask again and again, and remember what failed."""

import http.client
import threading
from types import TracebackType
from typing import Self

from tests.serving import RunningServer
from tests.supervisor.workers import connect


class Load:
    """Small requests until it is left: by fresh connections, by a kept one, and small uploads."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(number, kept))
            for number, kept in enumerate((False, True))
        ]
        self.answers = 0
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int, kept: bool) -> None:
        connection, turn = connect(self._server), 0
        while not self._over.is_set():
            turn += 1
            try:
                if turn % 4:
                    connection.request("GET", "/v1/files/small")
                else:
                    connection.request("PUT", f"/v1/files/load-{number}-{turn}", body=b"x" * 100)
                response = connection.getresponse()
                response.read()
                if response.status not in (200, 201):
                    self.failures.append(f"{turn}: {response.status}")
                self.answers += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{turn}: {error!r}")
                connection.close()
            if not kept:
                connection.close()
        connection.close()
