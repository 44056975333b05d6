"""The digests of a file that comes in any order."""

from penstock.client.arrivals import Arrivals
from penstock.client.part_file import PartFile
from penstock.errors import PenstockError
from penstock.octets.digests import Digester

READ_PIECE = 1 << 20
AT_ONCE = 4 << 20


def digest(part: PartFile, arrivals: Arrivals) -> Digester:
    """Digest from the beginning to the end, as it comes. Blocks until then, or it is stopped.

    What came a moment ago is still in memory; the rest is read back.
    """
    digester = Digester()
    while (found := arrivals.next_from(digester.size)) is not None:
        data, ready = found
        if data is None:
            _read_back(part, digester, digester.size + min(ready, AT_ONCE))
        else:
            digester.update(data)
    return digester


def _read_back(part: PartFile, digester: Digester, stop: int) -> None:
    while digester.size < stop:
        data = part.read(min(READ_PIECE, stop - digester.size), digester.size)
        if not data:
            raise PenstockError("somebody else cut the part short; run the command again")
        digester.update(data)
