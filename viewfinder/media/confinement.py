"""Give up rights for good: what a process that decodes strangers' files does before it sees any of them.

Resource limits everywhere; on Linux also Landlock (files may be read below a few folders and written nowhere, no TCP,
no signals and no abstract sockets to others) and a seccomp filter that lets through what decoding needs and nothing
else (`system_calls`). Each returns whether it is in force, so that a server can refuse to start without them.
"""

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from viewfinder.media.system_calls import SECCOMP_CALL, filter_program

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FS_RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF}  # by version of Landlock; 0xFFFF from 5 on
_TCP = 0b11
_SCOPES = 0b11  # abstract Unix sockets, signals: from version 6 on


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


def die_with_parent(signal_number: int) -> None:
    """Let the kernel send this process a signal when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def deny_files(readable: Iterable[Path]) -> bool:
    """Landlock: from now on only files below `readable` can be opened, for reading; no TCP where the kernel can."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return False
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rights = struct.pack("QQQ", _FS_RIGHTS.get(version, 0xFFFF), _TCP, _SCOPES)[:size]
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
    """Seccomp: what decoding does not need is out of reach, in all threads, for good. New threads are allowed,
    new processes are not."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in SECCOMP_CALL:
        return False
    code = filter_program(machine, os.getpid())
    buffer = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    all_threads = 1
    return libc.syscall(SECCOMP_CALL[machine], 1, all_threads, program) == 0
