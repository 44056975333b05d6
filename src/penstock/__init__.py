"""Penstock moves large files over HTTP at constant memory."""

__version__ = "0.1.0"
