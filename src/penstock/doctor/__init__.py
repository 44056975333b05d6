"""Looks over what the settings name, before a server is started on it or when one is in trouble."""

from penstock.doctor.examining import Examination
from penstock.doctor.findings import Finding, State

__all__ = ["Examination", "Finding", "State"]
