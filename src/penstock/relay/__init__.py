"""A relay before another server: a pull-through cache, and file_upload's client service."""

from penstock.relay.app import build_relay
from penstock.relay.context import Relay
from penstock.relay.opening import open_relay
from penstock.relay.options import Options

__all__ = ["Options", "Relay", "build_relay", "open_relay"]
