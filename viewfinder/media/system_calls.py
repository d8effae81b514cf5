"""The seccomp filter of a decode worker: the system calls that decoding needs, by name and number; all others fail.

Numbers are from the kernel's tables (`arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`).
"""

# ruff: noqa: E501 - a table of calls

import errno
import struct

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
