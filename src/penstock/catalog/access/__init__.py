"""Tokens, logins, keys and the audit log in the catalog: SQL only."""

from penstock.catalog.access.audit import AuditBook, AuditRow
from penstock.catalog.access.keys import KeyBook
from penstock.catalog.access.sessions import SessionBook, SessionRow
from penstock.catalog.access.tokens import TokenBook, TokenRow

__all__ = [
    "AuditBook",
    "AuditRow",
    "KeyBook",
    "SessionBook",
    "SessionRow",
    "TokenBook",
    "TokenRow",
]
