"""Give up rights for good: what a process that decodes strangers' files does before it sees any of them.

Resource limits everywhere; on Linux also Landlock (files may be read below a few folders and written nowhere, no TCP,
no signals and no abstract sockets to others) and a seccomp filter that lets through what decoding needs and nothing
else (`_ALLOWED`). Each returns whether it is in force, so that a server can refuse to start without them.
"""

# ruff: noqa: E501 - a table of calls

import contextlib
import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_RET_ALLOW, _RET_ERRNO, _RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_CLONE_THREAD = 0x10000
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o20000000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE's own bit
_OURS = 0
_X32 = 0x40000000

# name: (x86_64, aarch64); None where an architecture has no such call
_ALLOWED: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67), "lseek": (8, 62),
    "close": (3, 57), "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78),
    "getdents64": (217, 61), "getcwd": (79, 17), "fcntl": (72, 25), "dup": (32, 23),
    "poll": (7, None), "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72),
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216), "madvise": (28, 233),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "futex": (202, 98), "membarrier": (324, 283),
    "set_robust_list": (273, 99), "get_robust_list": (274, 100), "set_tid_address": (218, 96), "rseq": (334, 293),
    "nanosleep": (35, 101), "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "gettimeofday": (96, 169), "time": (201, None), "times": (100, 153), "getpid": (39, 172), "gettid": (186, 178),
    "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "uname": (63, 160),
    "sysinfo": (99, 179), "getrlimit": (97, 163), "setrlimit": (160, 164), "getrusage": (98, 165), "getrandom": (318, 278),
    "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip

# name: (x86_64, aarch64), argument, test, value: allowed when the test of the argument's low word holds
_ALLOWED_WHEN: dict[str, tuple[tuple[int | None, int | None], int, str, int]] = {
    "clone": ((56, 220), 0, "has", _CLONE_THREAD),  # threads of decoders, no processes
    "open": ((2, None), 1, "lacks", _WRITING),
    "openat": ((257, 56), 2, "lacks", _WRITING),
    "tgkill": ((234, 131), 0, "is ours", _OURS),  # abort() of this process
    "prlimit64": ((302, 261), 0, "is", 0),  # limits of this process
}
_CLONE3 = 435  # its flags lie in memory, out of a filter's sight: glibc takes clone when there is none


def filter_program(machine: str, pid: int) -> list[bytes]:
    """Classic BPF over (nr, arch, args) for the process `pid`: another architecture is killed, an unlisted call
    answered with EPERM, clone3 with ENOSYS."""
    column = ("x86_64", "aarch64").index(machine)
    program = [
        _line(_LOAD, 0, 0, 4),
        _line(_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        _line(_RETURN, 0, 0, _RET_KILL),
        _line(_LOAD, 0, 0, 0),
        _line(_AT_LEAST, 0, 1, _X32),  # the x32 numbering of the same calls
        _line(_RETURN, 0, 0, _RET_ERRNO | errno.EPERM),
    ]
    for numbers in _ALLOWED.values():
        if (number := numbers[column]) is not None:
            program += [_line(_EQUAL, 0, 1, number), _line(_RETURN, 0, 0, _RET_ALLOW)]
    for numbers, argument, test, value in _ALLOWED_WHEN.values():
        if (number := numbers[column]) is not None:
            program += _when(number, argument, test, pid if test == "is ours" else value)
    program += [_line(_EQUAL, 0, 1, _CLONE3), _line(_RETURN, 0, 0, _RET_ERRNO | errno.ENOSYS)]
    return [*program, _line(_RETURN, 0, 0, _RET_ERRNO | errno.EPERM)]


def _when(number: int, argument: int, test: str, value: int) -> list[bytes]:
    """Five lines: for this call, ALLOW when the test holds and EPERM when not."""
    code = _ANY_BIT if test in ("has", "lacks") else _EQUAL
    yes, no = (1, 0) if test == "lacks" else (0, 1)
    return [
        _line(_EQUAL, 0, 4, number),
        _line(_LOAD, 0, 0, 16 + 8 * argument),  # the low word, as both architectures are little-endian
        _line(code, yes, no, value),
        _line(_RETURN, 0, 0, _RET_ALLOW),
        _line(_RETURN, 0, 0, _RET_ERRNO | errno.EPERM),
    ]


def _line(code: int, yes: int, no: int, value: int) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


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
