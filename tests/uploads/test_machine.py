"""Uploads against a model that knows only bytes: whatever happens in whatever order."""

import asyncio
import hashlib
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from penstock.catalog import GroupCommit, Ledger, SqlChecksums, open_database, sqlite_url
from penstock.stores import LocalStore, Store
from penstock.uploads import Creation, Folder, UploadLimits, Uploads

PIECES = st.binary(max_size=3000) | st.integers(0, 255).map(lambda n: bytes([n]) * 1_200_000)


class Machine(RuleBasedStateMachine):
    """Begins, appends, discards, leaves, restarts and stores."""

    identities = Bundle("identities")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.loop = self.stack.enter_context(asyncio.Runner())
        self.sent: dict[str, bytes] = {}
        self.stored: dict[str, bytes] = {}
        self.open()

    def open(self) -> None:
        engine = open_database(sqlite_url(self.folder / "catalog.sqlite"))
        self.engine = engine
        self.store: Store = LocalStore(self.folder / "files", SqlChecksums(engine))
        self.commits = GroupCommit(engine)
        ledger = Ledger(engine, self.commits)
        self.uploads = Uploads(self.store, ledger, Folder.at(self.folder / "u"), UploadLimits())

    def run(self, coroutine: Any) -> Any:
        return self.loop.run(coroutine)

    def close(self) -> None:
        self.run(self.uploads.close())
        self.run(self.store.close())
        self.run(self.commits.close())
        self.engine.dispose()

    def teardown(self) -> None:
        self.close()
        self.stack.close()

    @rule(target=identities, key=st.sampled_from("abc"), piece=PIECES)
    def begin(self, key: str, piece: bytes) -> str:
        async def begin() -> str:
            async with await self.uploads.create(Creation(key=key)) as session:
                await session.append(piece)
                return session.upload.id

        identity: str = self.run(begin())
        self.sent[identity] = piece
        return identity

    @rule(identity=identities, pieces=st.lists(PIECES, max_size=4))
    def go_on(self, identity: str, pieces: list[bytes]) -> None:
        async def go_on() -> None:
            async with await self.uploads.take(identity) as session:
                assert session.offset == len(self.sent[identity])
                for piece in pieces:
                    await session.append(piece)

        self.run(go_on())
        self.sent[identity] += b"".join(pieces)

    @rule(identity=identities, piece=PIECES)
    def send_what_is_discarded(self, identity: str, piece: bytes) -> None:
        async def discard() -> None:
            async with await self.uploads.take(identity) as session:
                session.hold_back()
                await session.append(piece)

        self.run(discard())

    @rule(identity=identities)
    def ask_for_the_digest(self, identity: str) -> None:
        sent = self.sent[identity]
        told = self.run(self.uploads.digest(identity))
        assert told == (len(sent), hashlib.sha256(sent).digest())

    @rule()
    def restart(self) -> None:
        self.close()
        self.open()

    @rule(identity=consumes(identities))
    def store_it(self, identity: str) -> None:
        async def finish() -> tuple[str, bytes | None]:
            async with await self.uploads.take(identity) as session:
                info = await session.finish()
                assert info is not None
                return info.key, info.sha256

        key, sha256 = self.run(finish())
        self.stored[key] = self.sent.pop(identity)
        assert sha256 == hashlib.sha256(self.stored[key]).digest()

    @rule(identity=consumes(identities))
    def delete(self, identity: str) -> None:
        self.run(self.uploads.delete(identity))
        del self.sent[identity]

    @invariant()
    def offsets_tell_the_truth(self) -> None:
        for identity, sent in self.sent.items():
            assert self.run(self.uploads.look(identity)).offset == len(sent)

    @invariant()
    def files_are_what_was_stored_last(self) -> None:
        async def read(key: str) -> bytes:
            return b"".join([data async for data in self.store.read(key)])

        for key, data in self.stored.items():
            assert self.run(read(key)) == data


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
