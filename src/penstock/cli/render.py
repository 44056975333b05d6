"""What people and programs read: the only place that knows human and JSON lines.

Results go to standard output, errors of the human form to standard error. The JSON form is one
object per line with a ``message_type``: ``stored``, ``fetched``, ``uploaded``, ``downloaded``,
``file``, ``folder``, ``removed``, ``zip``, ``pull``, ``archive``, ``archive_plan``, ``job``,
``lane``, ``line``, ``node``, ``cluster``, ``token``, ``audit``, ``login``, ``logout``, ``share``,
``share_removed``, ``error`` and at the end ``summary``; errors are among the results.
"""

import json as json_format
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from penstock.cli.sizes import human_size
from penstock.errors import Exit, LoginNeeded, PenstockError

if TYPE_CHECKING:
    from penstock.cli.tally import Tally
    from penstock.client import (
        ArchiveInfo,
        ArchivePlan,
        AuditLine,
        ClusterInfo,
        Done,
        FileInfo,
        JobInfo,
        Lane,
        LogLine,
        NodeInfo,
        PullInfo,
        ServedFile,
        SessionInfo,
        ShareInfo,
        StoreUsage,
        TokenInfo,
        ZipInfo,
    )


class Render(Protocol):
    """Says what a command did. Each method is one kind of message."""

    def stored(self, done: "Done") -> None: ...

    def fetched(self, done: "Done") -> None: ...

    def file(self, info: "FileInfo", *, long: bool) -> None: ...

    def folder(self, prefix: str, *, long: bool) -> None: ...

    def removed(self, key: str) -> None: ...

    def zipped(self, info: "ZipInfo", target: str) -> None: ...

    def uploading(self, file: "ServedFile", url: str) -> None:
        """It is about to be sent to ``url``."""

    def uploaded(self, file: "ServedFile", seconds: float) -> None: ...

    def downloading(self, url: str) -> None: ...

    def answered(self, seconds: float) -> None:
        """The bytes of a download begin to come."""

    def downloaded(self, file: "ServedFile", target: str, seconds: float) -> None: ...

    def pull(self, pull: "PullInfo") -> None: ...

    def pulled(self, pull: "PullInfo") -> None:
        """It has been waited for, and is done."""

    def pull_waits(self, pull: "PullInfo") -> None:
        """Its source is in trouble."""

    def pull_goes_on(self, pull: "PullInfo") -> None:
        """It does so while nobody watches."""

    def archive_plan(self, plan: "ArchivePlan") -> None: ...

    def archive(self, archive: "ArchiveInfo") -> None:
        """It is under way, and nobody waits for it."""

    def archived(self, archive: "ArchiveInfo", link: str) -> None:
        """It is done, and can be fetched at ``link``."""

    def archive_waits(self, archive: "ArchiveInfo") -> None:
        """Something was in its way."""

    def archive_goes_on(self, archive: "ArchiveInfo") -> None:
        """It does so while nobody watches."""

    def job(self, job: "JobInfo", *, long: bool = False) -> None: ...

    def lane(self, lane: "Lane") -> None: ...

    def line(self, line: "LogLine") -> None:
        """A line of a job's log."""

    def cluster(self, cluster: "ClusterInfo") -> None:
        """Its nodes, and how it stands."""

    def node(self, node: "NodeInfo") -> None: ...

    def token(self, token: "TokenInfo") -> None: ...

    def token_made(self, token: "TokenInfo", text: str) -> None:
        """``text`` is what is shown of it this once."""

    def audit(self, line: "AuditLine") -> None: ...

    def shared(self, share: "ShareInfo") -> None:
        """It was made just now."""

    def share(self, share: "ShareInfo") -> None: ...

    def unshared(self, identity: str) -> None: ...

    def logged_in(self, session: "SessionInfo", server: str, where: str) -> None: ...

    def logged_out(self, server: str, *, was_kept: bool) -> None: ...

    def missing(self, name: str, reason: str) -> Exit:
        """A member that a ZIP lacks; answers the exit code."""

    def failed(self, error: Exception, **about: str) -> Exit:
        """An error, and what it is about; answers its exit code."""

    def refused(self, message: str, code: int) -> None:
        """The command line is not understood, or somebody interrupted."""

    def summary(self, tally: "Tally") -> None: ...


def make_render(*, json: bool, quiet: bool, out: TextIO | None = None) -> Render:
    """The lines that were asked for; ``out`` takes results instead of standard output."""
    return JsonLines() if json else HumanLines(quiet, out)


class HumanLines:
    """One short line per result, nothing at all when ``quiet``; errors always."""

    def __init__(self, quiet: bool, out: TextIO | None = None) -> None:
        self._quiet = quiet
        self._out = out

    def stored(self, done: "Done") -> None:
        self._transferred(done.key, done)

    def fetched(self, done: "Done") -> None:
        self._transferred(done.path, done)

    def _transferred(self, name: str, done: "Done") -> None:
        assert done.info is not None
        note = "  already there" if done.skipped else ""
        self._say(f"{printable(name)}  {human_size(done.info.size)}{note}")

    def file(self, info: "FileInfo", *, long: bool) -> None:
        facts = f"{human_size(info.size):>10}  {_when(info.modified)}  " if long else ""
        self._say(facts + printable(info.key))

    def folder(self, prefix: str, *, long: bool) -> None:
        self._say((" " * 33 if long else "") + printable(prefix))

    def removed(self, key: str) -> None:
        self._say(f"{printable(key)}  removed")

    def zipped(self, info: "ZipInfo", target: str) -> None:
        size = human_size(info.size or 0)
        self._say(f"{printable(target)}  {size}  {_files(info.entries)}")
        for key, name in info.renamed:
            self._say(f"  {printable(key)} is named {printable(name)} in it")

    def uploading(self, file: "ServedFile", url: str) -> None:
        self._say(f"Uploading file: {printable(file.name)}")
        self._served(file)
        self._say(f"Sending request to {url}")

    def uploaded(self, file: "ServedFile", seconds: float) -> None:
        self._moved(file, "uploaded", seconds)

    def downloading(self, url: str) -> None:
        self._say(f"Downloading file from {url}")

    def answered(self, seconds: float) -> None:
        self._say(f"Response received after {_elapsed(seconds)}")

    def downloaded(self, file: "ServedFile", target: str, seconds: float) -> None:
        self._say(f"Downloaded file: {printable(file.name)}")
        self._served(file)
        self._moved(file, "downloaded", seconds)

    def _served(self, file: "ServedFile") -> None:
        self._say(f"Size: {file.size:,} bytes")
        self._say(f"Content-Type: {printable(file.content_type)}")
        self._say(f"SHA256: {file.sha256}")

    def _moved(self, file: "ServedFile", how: str, seconds: float) -> None:
        name = printable(file.name)
        self._say(f"File {name} {how} successfully (elapsed: {_elapsed(seconds)})")
        if not file.verified and not self._quiet:
            _remark("the server tells no digest of it: nothing shows that the bytes are the same")

    def pull(self, pull: "PullInfo") -> None:
        standing = _standing(pull, pull.received, pull.size)
        self._say(f"{pull.id}  {standing}  {printable(pull.key)}")

    def pulled(self, pull: "PullInfo") -> None:
        self._say(f"{printable(pull.key)}  {human_size(pull.received)}")

    def pull_waits(self, pull: "PullInfo") -> None:
        self._waits(pull)

    def pull_goes_on(self, pull: "PullInfo") -> None:
        if not pull.has_ended:
            _remark(
                f"the server goes on; penstock pulls {pull.id} tells how it stands, "
                "with --watch waits for the end, with --cancel ends it"
            )

    def archive_plan(self, plan: "ArchivePlan") -> None:
        folders = f", {_count(plan.folders, 'empty folder')}" if plan.folders else ""
        self._say(f"{printable(plan.key)}  {human_size(plan.size)}  {_files(plan.files)}{folders}")
        self._facts(
            {
                "folder": f"{printable(plan.prefix) or '/'}  {human_size(plan.bytes)}",
                "lane": printable(plan.lane),
                "parts": f"{plan.parts:,}" if plan.parts else None,
                "requests": f"{plan.usage.puts:,} PUT, {plan.usage.gets:,} GET",
                "passes": _passing(plan.usage),
                "takes": f"about {plan.seconds:,.1f} s",
                "costs": _dollars(plan.cost),
            }
        )

    def archive(self, archive: "ArchiveInfo") -> None:
        standing = _standing(archive, archive.done, archive.size)
        self._say(f"{archive.id}  {standing}  {printable(archive.key)}")
        if not self._quiet:
            self.archive_goes_on(archive)

    def archived(self, archive: "ArchiveInfo", link: str) -> None:
        file, usage = archive.stored(), archive.usage
        count = _count(archive.members or 0, "member")
        self._say(f"{printable(file.key)}  {human_size(file.size)}  {count}")
        asked = None
        if usage is not None and usage.puts + usage.gets:
            asked = f"{usage.puts:,} PUT, {usage.gets:,} GET, {_dollars(archive.cost or 0)}"
        expires = f"  until {_when(archive.link_expires)}" if archive.link_expires else ""
        self._facts(
            {
                "CRC-32": file.crc32,
                "SHA-256": file.sha256,
                "took": None if archive.seconds is None else f"{archive.seconds:,.1f} s",
                "passed": None if usage is None else _passing(usage),
                "requests": asked,
                "link": f"{printable(link)}{expires}",
            }
        )

    def archive_waits(self, archive: "ArchiveInfo") -> None:
        self._waits(archive)

    def archive_goes_on(self, archive: "ArchiveInfo") -> None:
        if not archive.has_ended:
            _remark(
                "the server goes on; the same command with --wait waits for the end, "
                f"penstock jobs show {archive.id} tells how it stands, "
                f"penstock jobs cancel {archive.id} ends it"
            )

    def job(self, job: "JobInfo", *, long: bool = False) -> None:
        standing, title = _standing(job, job.done, job.total), printable(job.title)
        if not long:
            self._say(f"{job.id}  {printable(job.kind)}  {standing}  {title}")
            return
        self._say(f"{job.id}  {printable(job.kind)}  {title}")
        facts = {
            "state": standing,
            "files": None if job.files_total is None else f"{job.files_done} of {job.files_total}",
            "lane": printable(job.lane),
            "attempts": job.attempts,
            "created": _when(job.created),
            "started": job.started and _when(job.started),
            "ended": job.ended and _when(job.ended),
            "next try": job.next_try and _when(job.next_try),
        }
        self._facts(facts)

    def lane(self, lane: "Lane") -> None:
        paused = "paused  " if lane.paused else ""
        counts = ("waiting", "running", "done", "failed", "cancelled")
        told = ", ".join(f"{getattr(lane, name):,} {name}" for name in counts)
        self._say(f"{printable(lane.name)}  {paused}{told}")

    def line(self, line: "LogLine") -> None:
        self._say(f"{_when(line.at)}  {printable(line.text)}")

    def cluster(self, cluster: "ClusterInfo") -> None:
        for line in _table(_NODE_COLUMNS, [_node_cells(node) for node in cluster.nodes]):
            self._say(line)
        needed = f" of {cluster.min_nodes:,} needed" if cluster.live < cluster.min_nodes else ""
        copies = "1 copy" if cluster.replicas == 1 else f"{cluster.replicas:,} copies"
        self._say(f"{cluster.live:,}{needed} live, {copies} of each part")
        if cluster.removing:
            self._say(f"{_files(cluster.removing)} to be removed from the nodes")
        short, lost = (cluster.upkeep.get(name, 0) for name in ("short", "lost"))
        if short:
            self._say(f"{short:,} parts have too few copies, of {lost:,} of them there is none")

    def node(self, node: "NodeInfo") -> None:
        self._say("  ".join(_node_cells(node)))

    def token(self, token: "TokenInfo") -> None:
        facts = [token.id, printable(token.name), " ".join(token.scopes)]
        if token.prefix:
            facts.append(f"in {printable(token.prefix)}")
        facts.append(f"until {_when(token.expires)}" if token.expires else "does not expire")
        facts.append(f"used {_when(token.used)}" if token.used else "never used")
        self._say("  ".join(facts))

    def token_made(self, token: "TokenInfo", text: str) -> None:
        (self._out or sys.stdout).write(text + "\n")
        if not self._quiet:
            _remark(f"this is the token {token.id}; nobody can show it again")

    def audit(self, line: "AuditLine") -> None:
        who = f"{line.actor} {line.name}".rstrip()
        facts = (who, line.action, line.subject, str(line.status), line.remote)
        told = "  ".join(printable(fact) for fact in facts if fact)
        self._say(f"{_when(line.time)}  {told}")

    def shared(self, share: "ShareInfo") -> None:
        (self._out or sys.stdout).write(share.url + "\n")
        if not self._quiet:
            _remark(f"{share.title}: {_terms(share)}; penstock shares rm {share.id} ends it")

    def share(self, share: "ShareInfo") -> None:
        facts = (share.id, share.kind, printable(share.title), _terms(share), share.url)
        self._say("  ".join(facts))

    def unshared(self, identity: str) -> None:
        self._say(f"{printable(identity)}  ended")

    def logged_in(self, session: "SessionInfo", server: str, where: str) -> None:
        scopes = ", ".join(session.scopes)
        folder = f" in {printable(session.prefix)}" if session.prefix else ""
        self._say(f"{printable(session.name)}: {scopes}{folder}; kept in {printable(where)}")

    def logged_out(self, server: str, *, was_kept: bool) -> None:
        told = "is kept no more" if was_kept else "was not kept"
        self._say(f"a token for {printable(server)} {told}")

    def missing(self, name: str, reason: str) -> Exit:
        _complain(f"not in the ZIP: {name}: {reason}" if name else reason)
        return Exit.PARTIAL

    def failed(self, error: Exception, **about: str) -> Exit:
        facts = describe(error)
        detail = facts["detail"]
        subject = "".join(f"{value}: " for value in about.values() if not _names(detail, value))
        _complain(subject + detail)
        for url, reason in _sources(facts):
            sys.stderr.write(f"  {printable(url)}: {printable(reason)}\n")
        return Exit(facts["exit_code"])

    def refused(self, message: str, code: int) -> None:
        _complain(message)

    def summary(self, tally: "Tally") -> None:
        if tally.items < 2 or tally.command not in ("put", "get"):
            return
        facts = [f"{_files(tally.done)}, {human_size(tally.bytes)} in {tally.seconds:.1f} s"]
        if tally.skipped:
            facts.append(f"{tally.skipped} already there")
        if tally.failed:
            facts.append(f"{tally.failed} failed")
        self._say(", ".join(facts))

    def _facts(self, facts: Mapping[str, object]) -> None:
        for name, fact in facts.items():
            if fact is not None:
                self._say(f"  {name:<10}{fact}")

    def _waits(self, one: "PullInfo | ArchiveInfo") -> None:
        if not self._quiet and one.error is not None and one.next_try is not None:
            when = one.next_try.astimezone().strftime("%H:%M:%S")
            _remark(f"{one.error.detail}; the server tries again at {when}")

    def _say(self, line: str) -> None:
        if not self._quiet:
            (self._out or sys.stdout).write(line + "\n")


class JsonLines:
    """One JSON object per line on standard output."""

    def stored(self, done: "Done") -> None:
        _emit("stored", source=done.path, **_transferred(done))

    def fetched(self, done: "Done") -> None:
        _emit("fetched", target=done.path, **_transferred(done))

    def file(self, info: "FileInfo", *, long: bool) -> None:
        _emit("file", **info.to_json())

    def folder(self, prefix: str, *, long: bool) -> None:
        _emit("folder", prefix=prefix)

    def removed(self, key: str) -> None:
        _emit("removed", key=key)

    def zipped(self, info: "ZipInfo", target: str) -> None:
        _emit("zip", target=target, **info.to_json())

    def uploading(self, file: "ServedFile", url: str) -> None:
        pass

    def uploaded(self, file: "ServedFile", seconds: float) -> None:
        _emit("uploaded", **file.to_json(), seconds=round(seconds, 3))

    def downloading(self, url: str) -> None:
        pass

    def answered(self, seconds: float) -> None:
        pass

    def downloaded(self, file: "ServedFile", target: str, seconds: float) -> None:
        _emit("downloaded", target=target, **file.to_json(), seconds=round(seconds, 3))

    def pull(self, pull: "PullInfo") -> None:
        _emit("pull", **pull.to_json())

    def pulled(self, pull: "PullInfo") -> None:
        _emit("pull", **pull.to_json())

    def pull_waits(self, pull: "PullInfo") -> None:
        _emit("pull", **pull.to_json())

    def pull_goes_on(self, pull: "PullInfo") -> None:
        _emit("pull", **pull.to_json())

    def archive_plan(self, plan: "ArchivePlan") -> None:
        _emit("archive_plan", **plan.to_json())

    def archive(self, archive: "ArchiveInfo") -> None:
        _emit("archive", **archive.to_json())

    def archived(self, archive: "ArchiveInfo", link: str) -> None:
        _emit("archive", **{**archive.to_json(), "link": link})

    def archive_waits(self, archive: "ArchiveInfo") -> None:
        _emit("archive", **archive.to_json())

    def archive_goes_on(self, archive: "ArchiveInfo") -> None:
        _emit("archive", **archive.to_json())

    def job(self, job: "JobInfo", *, long: bool = False) -> None:
        _emit("job", **job.to_json())

    def lane(self, lane: "Lane") -> None:
        _emit("lane", **lane.to_json())

    def line(self, line: "LogLine") -> None:
        _emit("line", **line.to_json())

    def cluster(self, cluster: "ClusterInfo") -> None:
        told = cluster.to_json()
        for node in told.pop("nodes"):
            _emit("node", **node)
        _emit("cluster", **told)

    def node(self, node: "NodeInfo") -> None:
        _emit("node", **node.to_json())

    def token(self, token: "TokenInfo") -> None:
        _emit("token", **token.to_json())

    def token_made(self, token: "TokenInfo", text: str) -> None:
        _emit("token", **token.to_json(), token=text)

    def audit(self, line: "AuditLine") -> None:
        _emit("audit", **line.to_json())

    def shared(self, share: "ShareInfo") -> None:
        _emit("share", **share.to_json())

    def share(self, share: "ShareInfo") -> None:
        _emit("share", **share.to_json())

    def unshared(self, identity: str) -> None:
        _emit("share_removed", id=identity)

    def logged_in(self, session: "SessionInfo", server: str, where: str) -> None:
        _emit("login", server=server, kept=where, **session.to_json())

    def logged_out(self, server: str, *, was_kept: bool) -> None:
        _emit("logout", server=server, was_kept=was_kept)

    def missing(self, name: str, reason: str) -> Exit:
        exit_code = int(Exit.PARTIAL)
        _emit("error", code="left-out", member=name, detail=reason, exit_code=exit_code)
        return Exit.PARTIAL

    def failed(self, error: Exception, **about: str) -> Exit:
        facts = describe(error)
        _emit("error", **{**facts, **about})
        return Exit(facts["exit_code"])

    def refused(self, message: str, code: int) -> None:
        known = {int(Exit.USAGE): "usage", int(Exit.INTERRUPTED): "interrupted"}
        _emit("error", code=known.get(code, "failed"), detail=message, exit_code=code)

    def summary(self, tally: "Tally") -> None:
        _emit("summary", **tally.to_json())


def describe(error: Exception) -> dict[str, Any]:
    """Code, text, exit code and further facts of anything that may go wrong."""
    if isinstance(error, PenstockError):
        extra = {name: value for name, value in error.extra.items() if name not in _IN_EVERY}
        hint = _HOW_TO_LOG_IN if _wants_token(error) else ""
        return {
            **extra,
            "code": error.code,
            "detail": error.detail + hint,
            "exit_code": int(error.exit_code),
        }
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        subject = f"{printable(str(error.filename))}: " if error.filename else ""
        code = Exit.NOT_FOUND if isinstance(error, FileNotFoundError) else Exit.FAILED
        return {"code": "local", "detail": subject + reason, "exit_code": int(code)}
    detail = f"unexpected {type(error).__name__}: {error} (PENSTOCK_DEBUG=1 shows where)"
    return {"code": "unexpected", "detail": detail, "exit_code": int(Exit.FAILED)}


def printable(text: str) -> str:
    """The text without anything that a terminal would act on."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


_HOW_TO_LOG_IN = (
    " (penstock login keeps a token for this server; --token-file and PENSTOCK_TOKEN give one)"
)


def _wants_token(error: PenstockError) -> bool:
    """Whether it is a Penstock server that asks who we are."""
    if not isinstance(error, LoginNeeded):
        return False
    challenge = str(error.extra.get("challenge", ""))
    return error.extra.get("code") == error.code or 'realm="Penstock"' in challenge


_IN_EVERY = frozenset({"type", "title", "code", "detail", "exit_code"})


def _names(detail: str, subject: str) -> bool:
    """Whether a text says already what it is about."""
    return repr(subject) in detail or f"{subject}:" in detail


def _sources(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The URLs that could not be fetched and why, if the text of the error is not enough."""
    sources = facts.get("sources")
    if not isinstance(sources, list) or len(sources) < 2:
        return []
    return [
        (str(one.get("url")), str(one.get("reason"))) for one in sources if isinstance(one, dict)
    ]


def _transferred(done: "Done") -> Mapping[str, Any]:
    assert done.info is not None
    return {"skipped": done.skipped, **done.info.to_json()}


def _emit(message_type: str, **facts: Any) -> None:
    sys.stdout.write(json_format.dumps({"message_type": message_type, **facts}) + "\n")
    sys.stdout.flush()


def _complain(message: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"penstock: error: {printable(message)}\n")


def _remark(message: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"penstock: {printable(message)}\n")
    sys.stderr.flush()


def _standing(one: "PullInfo | ArchiveInfo | JobInfo", done: int, size: int | None) -> str:
    """In few words: how far it is, or why it is not."""
    state = "cancelling" if one.cancelling else one.state
    if one.state in ("waiting", "running", "done"):
        of = "" if size is None or done == size else f" of {human_size(size)}"
        rate = f", {human_size(one.rate)}/s" if one.rate else ""
        return f"{state}  {human_size(done)}{of}{rate}"
    return f"{state}  {printable(one.error.detail)}" if one.error is not None else state


_NODE_COLUMNS = ("id", "state", "parts", "used", "free", "heard of", "address")


def _node_cells(node: "NodeInfo") -> tuple[str, ...]:
    empties = node.draining and node.state != "draining"  # silent, so its state says that
    return (
        printable(node.id),
        printable(node.state) + (", draining" if empties else ""),
        f"{node.parts:,}",
        human_size(node.used),
        f"{human_size(node.free)} of {human_size(node.capacity)}",
        f"{max(0.0, node.silent):,.0f} s ago",
        printable(node.address),
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines in columns; none without rows."""
    lines = [heads, *rows] if rows else []
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _when(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _terms(share: "ShareInfo") -> str:
    """How long and how often a link is good for something."""
    what = "file" if share.kind == "upload" else "download"
    used = _count(share.count, what)
    often = used if share.most is None else f"{share.count:,} of {_count(share.most, what)}"
    until = f"until {_when(share.expires)}" if share.expires else "does not expire"
    return f"{until}, {often}{', with a password' if share.has_password else ''}"


def _elapsed(seconds: float) -> str:
    """``624ms``, ``3.98s``, ``2m1.5s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(round(seconds, 2), 60)
    shown = f"{rest:.2f}".rstrip("0").rstrip(".")
    return f"{minutes:.0f}m{shown}s" if minutes else f"{shown}s"


def _passing(usage: "StoreUsage") -> str:
    """Bytes that go through the server on their way from the store and to it."""
    return f"{human_size(usage.received)} in, {human_size(usage.sent)} out"


def _dollars(cost: float) -> str:
    """To the cent, of a small sum the first two digits that are not 0."""
    return f"${cost:,.{max(2, 1 - math.floor(math.log10(cost)))}f}" if cost else "$0.00"


def _files(count: int) -> str:
    return _count(count, "file")


def _count(count: int, of: str) -> str:
    return f"{count:,} {of}" if count == 1 else f"{count:,} {of}s"
