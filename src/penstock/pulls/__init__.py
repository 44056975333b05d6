"""Pulls: files of other servers, fetched into the store in the background."""

from penstock.pulls.pull import Pull
from penstock.pulls.puller import Puller
from penstock.pulls.pulls import KIND, LANE, Pulls
from penstock.pulls.wish import Wish

__all__ = ["KIND", "LANE", "Pull", "Puller", "Pulls", "Wish"]
