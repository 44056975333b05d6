"""A catalog of this version: how it is, what waits in it, who may come in."""

from penstock.catalog.health import LATE, Health, look_into
from penstock.doctor.findings import Finding, Findings, broken, ok, warning
from penstock.errors import PenstockError
from penstock.threads import in_thread

_LARGE_JOURNAL = 256 << 20
_OLDEST = 13
"""The oldest PostgreSQL that is still looked after by its makers, when this was written."""


async def look_into_catalog(url: str, *, access: bool) -> Findings:
    """What there is to say of it; ``access``: whether the server asks for tokens."""
    try:
        health = await in_thread(look_into, url)
    except PenstockError as error:
        yield broken("catalog can be read", error.detail)
        return
    yield _database(health)
    if health.size:
        yield _pages(health)
    yield _jobs(health)
    yield _webhooks(health)
    for finding in _tokens(health, access=access):
        yield finding


def _database(health: Health) -> Finding:
    name = "catalog's database"
    if health.damage:
        return broken(name, f"{health.version} finds it damaged ({health.damage}); take a backup")
    kind, _, version = health.version.partition(" ")
    major = version.partition(".")[0]
    if kind == "PostgreSQL" and major.isdigit() and int(major) < _OLDEST:
        return warning(name, f"{health.version}, which gets no fixes any more; upgrade it")
    if health.size and health.damage is None:
        return ok(name, f"{health.version}; too large to be checked in passing")
    return ok(name, health.version + ("; it is sound" if health.size else ""))


def _pages(health: Health) -> Finding:
    name = "catalog's file"
    text = f"{health.size >> 20:,} MiB, of which {health.unused >> 20:,} MiB are free"
    if health.journal > _LARGE_JOURNAL:
        return warning(
            name,
            f"{text}; its write-ahead log has {health.journal >> 20:,} MiB: something has kept it "
            "open for reading for long, such as a backup that hangs",
        )
    if health.unused > health.size / 2 and health.unused > _LARGE_JOURNAL:
        return warning(name, f"{text}; VACUUM gives that back to the disk")
    return ok(name, text)


def _jobs(health: Health) -> Finding:
    name = "jobs"
    told = []
    if health.late:
        lanes = ", ".join(f"{count:,} in {lane}" for lane, count in health.late.items())
        told.append(
            f"{lanes} wait for more than {LATE:g} s and nobody works there: is a server or "
            "penstock worker running that has places for them?"
        )
    if health.paused:
        told.append(
            f"held back: {', '.join(health.paused)}; penstock jobs resume LANE lets them go on"
        )
    return warning(name, "; ".join(told)) if told else ok(name, "none waits for too long")


def _webhooks(health: Health) -> Finding:
    name = "webhooks"
    if health.dead_letters:
        return warning(
            name,
            f"{health.dead_letters:,} could not be delivered and were given up; their receiver "
            "does not know what became of those uploads",
        )
    return ok(name, "none was given up")


def _tokens(health: Health, *, access: bool) -> list[Finding]:
    name = "tokens"
    if not access:
        return []
    if not health.admins:
        return [ok(name, "none has the scope admin; the next start makes one and prints it")]
    found = [ok(name, f"{health.admins:,} with the scope admin")]
    if health.expiring:
        names = ", ".join(health.expiring)
        found.append(warning("tokens' end", f"in less than two weeks: {names}; make new ones"))
    return found
