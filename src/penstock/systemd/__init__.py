"""What a service manager and the process that it starts tell each other.

The words are systemd's: sockets are handed over as sd_listen_fds(3) says, and sd_notify(3) tells
how the process is. The supervisor of several processes speaks to its children the same way.
"""

from penstock.systemd.notices import Notices
from penstock.systemd.parent import Place, end_with_parent, place
from penstock.systemd.sockets import handed_sockets

__all__ = ["Notices", "Place", "end_with_parent", "handed_sockets", "place"]
