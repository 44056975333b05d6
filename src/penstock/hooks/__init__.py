"""Signed webhooks: tells a receiver what the outbox holds, until it has heard it."""

from penstock.hooks.courier import Courier
from penstock.hooks.limits import HookLimits
from penstock.hooks.receiver import Receiver

__all__ = ["Courier", "HookLimits", "Receiver"]
