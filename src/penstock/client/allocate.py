"""Room for a file before its bytes come."""

import ctypes
import errno
import os

_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def allocate(fd: int, size: int) -> None:
    """Give an empty file ``size`` bytes and, where the file system can, the room for them.

    ``os.posix_fallocate`` would write a byte to every block where it cannot.

    :raises OSError: there is not so much room.
    """
    if _fallocate(fd, 0, 0, size) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EOPNOTSUPP, errno.ENOSYS):
        raise OSError(number, os.strerror(number))
    os.ftruncate(fd, size)
