"""Linux's ``openat2``: open a path beneath a folder in one call, without following any link.

The kernel resolves the whole path under the rules given (``man 2 openat2``), so there is nothing
to race against. ``cached`` makes it answer at once or not at all: it fails with ``EAGAIN`` when
it would have to wait for the disk, and is thus safe in an event loop.
"""

import ctypes
import os

_NUMBER = 437  # the same on every architecture
_NO_SYMLINKS, _BENEATH, _CACHED = 0x04, 0x08, 0x20
# O_NONBLOCK: opening a named pipe must not hang.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (
    ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t,
)  # fmt: skip
_size = ctypes.sizeof(_How)
_how = _How(_FLAGS, 0, _BENEATH | _NO_SYMLINKS)
_how_cached = _How(_FLAGS, 0, _BENEATH | _NO_SYMLINKS | _CACHED)


def open_beneath(folder: int, path: bytes, *, cached: bool = False) -> int:
    """A descriptor to read ``path`` below the open ``folder``; negative when that failed.

    It says no more of a failure: whoever must know why takes the slow way. A kernel without the
    call (before 5.6; ``cached`` before 5.12), or a sandbox that forbids it, always fails.
    """
    how = _how_cached if cached else _how
    fd: int = _syscall(_NUMBER, folder, path, ctypes.addressof(how), _size)
    return fd
