"""Who may do what: tokens, logins, and what they are good for. Knows no HTTP."""

from penstock.access.access import Access
from penstock.access.grant import ANYONE, Grant, Scope
from penstock.access.opening import AccessOptions, open_access

__all__ = ["ANYONE", "Access", "AccessOptions", "Grant", "Scope", "open_access"]
