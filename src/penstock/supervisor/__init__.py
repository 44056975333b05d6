"""Several server processes on one port: started, watched, replaced and reloaded.

The supervisor serves nothing itself. It opens neither the store nor the catalog, and never imports
the server: what breaks those must not break it.
"""

from penstock.supervisor.supervising import supervise

__all__ = ["supervise"]
