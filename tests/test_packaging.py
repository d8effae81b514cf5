"""What a stranger installs: a wheel that answers in a bare environment, and extras with what their modules import.

The suite runs where everything is installed, so these tests hide what is not declared.
"""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import viewfinder

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "viewfinder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FOR_TESTS = ("dev", "parity")

FOR_A_GPU = {("viewfinder.model.paged_decode", "triton")}
"""PyTorch brings Triton where it drives a GPU; the module is imported there only."""

SERVED = {
    "otel": ("viewfinder.serve.tracing.",),
    "serve": ("viewfinder.serve.",),
    "mcp": ("viewfinder.cli.mcp_tools.",),
    "materials": ("viewfinder.data.synth.charts.plotly_plots", "viewfinder.data.synth.charts.seaborn_plots"),
}
"""The modules that an extra serves by beginnings of names: they alone may import it at the top of the file. All others
import with the core alone, and what they need of an extra when it is used."""

HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
HIDDEN = frozenset(%r)
sys.meta_path.insert(0, Hidden())
"""
IMPORT_ALL = """
import importlib, warnings
warnings.simplefilter("ignore")
for name in %r:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, "imports", error.name)
"""


@cache
def distributions() -> dict[str, set[str]]:
    """Installed distributions that each top-level name comes from."""
    return {
        name: {canonicalize_name(one) for one in found} for name, found in metadata.packages_distributions().items()
    }


def declared(*extras: str) -> list[Requirement]:
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in PROJECT["optional-dependencies"][extra])]
    return [Requirement(text) for text in texts]


def closure(*extras: str) -> set[str]:
    """Names of the distributions that an installation of the core and these extras brings."""
    found: set[str] = set()
    todo = [(canonicalize_name(one.name), frozenset(one.extras)) for one in declared(*extras)]
    while todo:
        name, wanted = todo.pop()
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        if name in found and not wanted:
            continue
        found.add(name)
        for one in map(Requirement, requires):
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (wanted or {""})):
                todo.append((canonicalize_name(one.name), frozenset(one.extras)))
    return found


def hidden_from(*extras: str) -> list[str]:
    """Top-level names that are installed here and would not be there."""
    there = closure(*extras) | {"viewfinder"}
    own = sys.stdlib_module_names | {"_distutils_hack", "pkg_resources"}
    return sorted(name for name, found in distributions().items() if not found & there and name not in own)


def modules() -> list[str]:
    paths = (path.relative_to(ROOT).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    names = (".".join(path.parts).removesuffix(".__init__") for path in paths if path.name != "__main__")
    return [name for name in names if name not in dict(FOR_A_GPU)]


def served_by(module: str) -> str | None:
    return next((extra for extra, starts in SERVED.items() if f"{module}.".startswith(starts)), None)


@pytest.mark.parametrize("extra", [None, *SERVED])
def test_every_module_imports_with_the_core_and_its_extra_alone(extra: str | None) -> None:
    extras = () if extra is None else ("data", "materials") if extra == "materials" else (extra,)
    names = [name for name in modules() if served_by(name) == extra]
    code = HIDE % hidden_from(*extras) + IMPORT_ALL % names
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=300
    )
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("hidden", "arguments", "extra"),
    [
        ("pyarrow", ["data", "stats", "{set}"], "data"),
        ("datasketch", ["data", "filter", "{set}", "near_duplicates", "--out", "{out}"], "data"),
        ("playwright", ["agent", "x", "--browser", "https://example.org"], "agent"),
        ("fastapi", ["serve"], "serve"),
        ("mcp", ["mcp"], "mcp"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    shards: Path, tmp_path: Path, hidden: str, arguments: list[str], extra: str
) -> None:
    given = [argument.format(set=shards, out=tmp_path / "out") for argument in arguments]
    code = HIDE % [hidden] + f"sys.argv = ['viewfinder', *{given!r}]\nfrom viewfinder.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"pip install 'viewfinder[{extra}]'" in line


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished set of two samples."""
    out = tmp_path_factory.mktemp("data") / "set"
    command = [sys.executable, "-m", "viewfinder", "data", "build", "text", "--count", "2", "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    return out


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Top-level names that a file imports, and whether it does so at once, outside of functions."""
    tree = ast.parse(path.read_text())
    later = {
        node for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(outer)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node not in later) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node not in later


def test_every_import_is_of_something_declared() -> None:
    """Not only of what happens to come with something else."""
    core = {canonicalize_name(one.name) for one in declared()}
    offered = {extra: {canonicalize_name(one.name) for one in declared(extra)} - core for extra in SERVED}
    users = {canonicalize_name(one.name) for one in declared(*(set(PROJECT["optional-dependencies"]) - set(FOR_TESTS)))}
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        extra = served_by(module)
        for name, at_once in imports(path):
            if name in sys.stdlib_module_names or name == "viewfinder" or (module, name) in FOR_A_GPU:
                continue
            allowed = core | (offered.get(extra or "", set()) | _data(extra)) if at_once else users
            if not distributions().get(name, {canonicalize_name(name)}) & allowed:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def _data(extra: str | None) -> set[str]:
    """`materials` is for kinds of data, whose extra is needed with it."""
    return {canonicalize_name(one.name) for one in declared("data")} if extra == "materials" else set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree, built without the network."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(PACKAGE, copy / "viewfinder", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command = [
        *pip,
        "wheel",
        "--quiet",
        "--no-build-isolation",
        "--no-deps",
        "--wheel-dir",
        str(copy / "dist"),
        str(copy),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (built,) = (copy / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package_and_its_one_version(wheel: Path) -> None:
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    here = {
        str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == here
    assert "viewfinder/py.typed" in names
    assert wheel.name.split("-")[1] == viewfinder.__version__


def test_the_wheel_answers_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed alone; of what is installed here, only what the core declares can be imported."""
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=300)
    site = next((tmp_path / "bare" / "lib").glob("python*/site-packages"))
    (site / "core.pth").write_text(str(Path(metadata.distribution("typer").locate_file(""))) + "\n")
    (site / "sitecustomize.py").write_text(HIDE % hidden_from())
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    program = [str(python.with_name("viewfinder")), "locate", str(ROOT / "examples" / "shapes.png"), "every blue star"]
    done = subprocess.run(
        program, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "blue star" in done.stdout
    where = subprocess.run(
        [python, "-c", "import viewfinder; print(viewfinder.__file__)"],
        capture_output=True, text=True, check=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert where.stdout.startswith(str(site))
