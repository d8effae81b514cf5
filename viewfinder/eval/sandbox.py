"""Running a model's Python apart from its tests, each in a limited process of its own; a nonce decides success.

    harness (here) -- answer, tests, nonce --> tests' process -- f, (1, 2) --> answer's process

The tests' process never executes the answer: it sends it on as text and calls its function over a pipe. Arguments and
results go as Python literals, so nothing the answer replaces (builtins, `sys.exit`, `__eq__`) reaches the tests. The
nonce is printed after the last test; the answer's process is never told it.

`media.confinement` holds both (no sockets, no new processes, no files but the interpreter's), with limits of processor
time and memory, in an empty folder and environment. Without it root runs nothing; other users run it under an audit
hook, which stops accidents and plain mischief but is no wall.
"""

import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import viewfinder
from viewfinder.errors import EvaluationError

_UNCONFINED = 77
_CONFINE = """
import os, sys
_package, _readable, _memory, _seconds = {package!r}, {readable!r}, {memory}, {seconds}
sys.path.insert(0, _package)
from pathlib import Path
from viewfinder.media import confinement
confinement.limit_resources(_memory)
confinement.allow_cpu_seconds(_seconds)
_held = [confinement.deny_files([Path(p) for p in _readable]), confinement.deny_system_calls()]
if not all(_held) and getattr(os, "geteuid", lambda: 1)() == 0:
    os._exit({unconfined})
sys.path.remove(_package)
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill",
    "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "shutil.",
    "ctypes.")
def _audit(event, arguments):
    if event.startswith(_FORBIDDEN):
        raise PermissionError(event)
    if event == "open" and isinstance(arguments[0], str) and set(arguments[1] or "") & set("wax+"):
        raise PermissionError("open for writing")
sys.addaudithook(_audit)
"""
_ANSWER = """
import ast
_in, _out = sys.stdin.buffer, sys.stdout.buffer
sys.stdin, sys.stdout = None, sys.stderr
_names, _failed = {"__name__": "answer"}, None
try:
    exec(compile(ast.literal_eval(_in.readline().decode()), "answer.py", "exec"), _names)
except BaseException as _error:
    _failed = _error
while _line := _in.readline():
    _name, _args, _kwargs = ast.literal_eval(_line.decode())
    try:
        if _failed is not None:
            raise _failed
        _reply = "value", _names[_name](*_args, **_kwargs)
    except BaseException as _error:
        _reply = "error", type(_error).__name__, str(_error)[:300]
    _out.write(repr(_reply).encode() + b"\\n")
    _out.flush()
"""
_TESTS = """
import ast, builtins
_answer, _tests, _name, _nonce = ast.literal_eval(sys.stdin.readline())
_asks, _replies = os.fdopen(int(sys.argv[1]), "wb", 0), os.fdopen(int(sys.argv[2]), "rb")
_asks.write(repr(_answer).encode() + b"\\n")
def _call(*args, **kwargs):
    _asks.write(repr((_name, args, kwargs)).encode() + b"\\n")
    line = _replies.readline(1 << 20)
    if not line.endswith(b"\\n"):
        raise RuntimeError("the answer ended or said too much")
    kind, *rest = ast.literal_eval(line.decode())
    if kind == "value":
        return rest[0]
    found = getattr(builtins, str(rest[0]), RuntimeError)
    is_error = isinstance(found, type) and issubclass(found, Exception)
    raise (found if is_error else RuntimeError)(rest[1])
exec(compile(_tests, "tests.py", "exec"), {"__name__": "tests", _name: _call})
sys.stdout.write(_nonce)
"""


@dataclass(frozen=True)
class ProgramResult:
    """How it ended: `passed` (the nonce was printed), and the end of the tests' error output."""

    passed: bool
    reason: str


def run_tests(answer: str, tests: str, function: str, seconds: int = 5, memory: int = 512 << 20) -> ProgramResult:
    """Run `tests`, a program that calls `function` of the program `answer`.

    Args:
        seconds: of processor time for each of the two processes; of the clock two more for both.
        memory: bytes of address space for each.

    Raises:
        EvaluationError: it would run as root without confinement.
    """
    asks, replies = os.pipe(), os.pipe()
    nonce = secrets.token_hex(16)
    given = f"{(answer, tests, function, nonce)!r}\n"
    with tempfile.TemporaryDirectory() as folder:
        model = judge = None
        try:
            model = subprocess.Popen(
                _command(_ANSWER, seconds, memory), stdin=asks[0], stdout=replies[1], stderr=subprocess.DEVNULL,
                cwd=folder, env={},
            )  # fmt: skip
            judge = subprocess.Popen(
                [*_command(_TESTS, seconds, memory), str(asks[1]), str(replies[0])], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env={},
                pass_fds=(asks[1], replies[0]),
            )  # fmt: skip
            for end in (*asks, *replies):
                os.close(end)
            asks = replies = ()
            out, err = judge.communicate(given, timeout=seconds + 2)
        except subprocess.TimeoutExpired:
            return ProgramResult(False, f"took more than {seconds} seconds")
        finally:
            for end in (*asks, *replies):
                os.close(end)
            for process in (model, judge):
                if process is not None:
                    process.kill()
                    process.communicate()
    assert judge is not None
    if judge.returncode == _UNCONFINED:
        raise EvaluationError(
            "a model's programs would run as root without confinement (Landlock and seccomp), so none was run; "
            "run the evaluation as another user"
        )
    return ProgramResult(judge.returncode == 0 and out == nonce, err.strip()[-300:])


def _command(program: str, seconds: int, memory: int) -> list[str]:
    readable = sorted({sys.prefix, sys.base_prefix, "/usr/lib", "/lib", "/lib64"})
    package = str(Path(viewfinder.__file__).parents[1])
    confine = _CONFINE.format(
        package=package, readable=readable, memory=memory, seconds=seconds, unconfined=_UNCONFINED
    )
    return [sys.executable, "-I", "-S", "-c", confine + program]
