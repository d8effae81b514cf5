"""Give up rights for good: what a process that decodes strangers' files does before it sees any of them.

Resource limits everywhere; on Linux also Landlock (files may be read below a few folders and written nowhere,
no TCP) and a seccomp filter (no sockets, no new programs, no reaching into other processes). Each returns
whether it is in force, so that a server can say how well its decoders are held.
"""

import contextlib
import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FS_RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF}  # by version of Landlock; 0xFFFF from 5 on
_TCP = 0b11

# socket connect accept sendto sendmsg bind listen socketpair, fork vfork execve execveat, kill ptrace
# process_vm_readv process_vm_writev pidfd_open pidfd_getfd, mount unshare setns bpf io_uring_setup
_DENIED = {
    "x86_64": (41, 42, 43, 44, 46, 49, 50, 53, 57, 58, 59, 322, 62, 101, 310, 311, 434, 438, 165, 272, 308, 321, 425),
    "aarch64": (198, 203, 202, 206, 211, 200, 201, 199, 221, 281, 129, 117, 270, 271, 434, 438, 40, 97, 268, 280, 425),
}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}
_RET_ALLOW, _RET_ERRNO, _RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000


def limit_resources(memory_bytes: int, open_files: int = 64) -> None:
    """Cap memory, forbid writing files and core dumps."""
    for what, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, open_files),
    ):
        with contextlib.suppress(ValueError, OSError):  # a stricter limit is in force already
            resource.setrlimit(what, (value, value))


def allow_cpu_seconds(seconds: float) -> None:
    """From now on so much processor time, after which the process is killed (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def deny_files(readable: Iterable[Path]) -> bool:
    """Landlock: from now on only files below `readable` can be opened, for reading; no TCP where the kernel can."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return False
    rights = struct.pack("QQ", _FS_RIGHTS.get(version, 0xFFFF), _TCP)[: 16 if version >= 4 else 8]
    ruleset = libc.syscall(_LANDLOCK_CREATE, rights, len(rights), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            with contextlib.suppress(OSError):  # not there: nothing to allow
                folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
                libc.syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", _READ_FILE | _READ_DIR, folder), 0)
                os.close(folder)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def deny_system_calls() -> bool:
    """Seccomp: network, new programs and other processes are out of reach, in all threads, for good."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _DENIED:
        return False
    code = _filter(_DENIED[machine], _AUDIT_ARCH[machine])
    buffer = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    all_threads = 1
    return libc.syscall(_SECCOMP_CALL[machine], 1, all_threads, program) == 0


def _filter(denied: Sequence[int], architecture: int) -> list[bytes]:
    """Classic BPF over (nr, arch): another architecture is killed, a denied call answered with EPERM."""

    def line(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    load, equal, at_least, ret = 0x20, 0x15, 0x35, 0x06
    calls = [line(equal, len(denied) - i, 0, number) for i, number in enumerate(denied)]
    return [
        line(load, 0, 0, 4),
        line(equal, 1, 0, architecture),
        line(ret, 0, 0, _RET_KILL),
        line(load, 0, 0, 0),
        line(at_least, len(denied) + 1, 0, 0x40000000),  # the x32 numbering of the same calls
        *calls,
        line(ret, 0, 0, _RET_ALLOW),
        line(ret, 0, 0, _RET_ERRNO | errno.EPERM),
    ]
