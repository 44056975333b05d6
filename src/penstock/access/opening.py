"""Opening all of it on a catalog."""

from dataclasses import dataclass

from sqlalchemy import Engine

from penstock.access.access import Access
from penstock.access.audit import Audit
from penstock.access.sessions import Sessions
from penstock.access.tokens import Tokens
from penstock.catalog import GroupCommit
from penstock.catalog.access import AuditBook, KeyBook, SessionBook, TokenBook


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Times are seconds. ``secret``: what keys are made of; empty: they are in the catalog."""

    is_on: bool
    session_expiry: float
    audit_keep: float
    secret: str = ""


def open_access(engine: Engine, commits: GroupCommit, options: AccessOptions) -> Access:
    """What knows who may do what; ``commits`` is the catalog's."""
    book = TokenBook(engine, commits)
    tokens = Tokens(book)
    return Access(
        tokens,
        Sessions(SessionBook(engine, commits), tokens, options.session_expiry),
        Audit(AuditBook(engine, commits), options.audit_keep if options.is_on else 0.0),
        KeyBook(engine, commits),
        book,
        is_on=options.is_on,
        secret=options.secret,
    )
