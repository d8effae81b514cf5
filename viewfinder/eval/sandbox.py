"""Running a model's Python in a process of its own: isolated interpreter, no environment, hard limits.

The child may use so many seconds of processor, so much memory, no child processes and no files over 1 MiB; its
working folder is empty and goes away. An audit hook refuses sockets, new processes and writing or changing files.
This stops accidents and plain mischief; it is no wall against an attacker.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass

_GUARD = """
import resource, sys
def _limit(kind, value):
    soft, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))
_limit(resource.RLIMIT_CPU, {seconds})
_limit(resource.RLIMIT_AS, {memory})
_limit(resource.RLIMIT_FSIZE, 1 << 20)
_limit(resource.RLIMIT_NPROC, 0)
_limit(resource.RLIMIT_CORE, 0)
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill",
    "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "shutil.",
    "ctypes.")
def _audit(event, arguments):
    if event.startswith(_FORBIDDEN):
        raise PermissionError(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise PermissionError("open for writing")
sys.addaudithook(_audit)
_source = sys.stdin.read()
sys.stdin.close()
exec(compile(_source, "answer.py", "exec"), {{"__name__": "__main__"}})
"""


@dataclass(frozen=True)
class ProgramResult:
    """How a program ended: `passed` (exit code 0), and the end of what it wrote to its error output."""

    passed: bool
    reason: str


def run_python(source: str, seconds: int = 5, memory: int = 512 << 20) -> ProgramResult:
    """Run a program; never raises, and takes at most about `seconds`."""
    command = [sys.executable, "-I", "-S", "-c", _GUARD.format(seconds=seconds, memory=memory)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                command,
                input=source,
                capture_output=True,
                text=True,
                timeout=seconds + 2,
                cwd=folder,
                env={},
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ProgramResult(False, f"took more than {seconds} seconds")
    return ProgramResult(done.returncode == 0, done.stderr.strip()[-300:])
