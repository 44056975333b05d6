"""The fixtures of this room."""

from tests.s3.fixtures import open_s3, prefix, s3_server, store

__all__ = ["open_s3", "prefix", "s3_server", "store"]
