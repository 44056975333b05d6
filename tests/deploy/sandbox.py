"""Runs a command as the units do, as far as that works without systemd.

    python sandbox.py COMMAND...

System calls are those of ``SystemCallFilter=`` (the names that ``systemd-analyze syscall-filter``
has for them, kept by libseccomp), memory is never writable and executable
(``MemoryDenyWriteExecute=``, here by prctl(2)), and no privilege is gained.
"""

import ctypes
import errno
import os
import subprocess
import sys

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # seccomp_init(3)
_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE, _REFUSE_EXEC_GAIN = 38, 65, 1  # prctl(2)


def calls(group: str) -> set[str]:
    """The system calls of a group such as ``@system-service``."""
    command = ["systemd-analyze", "syscall-filter", group]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in told.splitlines()[1:]]
    found = {word for word in words if word and word[0] not in "#@"}
    return found.union(*(calls(word) for word in words if word[:1] == "@"))


def main(command: list[str]) -> None:
    allowed = calls("@system-service") - calls("@privileged")
    libc = ctypes.CDLL(None, use_errno=True)
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(_ERRNO | errno.EPERM))
    for name in sorted(allowed):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # this machine has it
            assert not seccomp.seccomp_rule_add_array(rules, _ALLOW, number, 0, None), name
    assert not libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    assert not libc.prctl(_PR_SET_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0)
    assert not seccomp.seccomp_load(rules)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
