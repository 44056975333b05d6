"""Looks at a running server through what stands before it, such as a reverse proxy."""

from penstock.doctor.through.examining import Through
from penstock.doctor.through.receiving import PAUSE

__all__ = ["PAUSE", "Through"]
