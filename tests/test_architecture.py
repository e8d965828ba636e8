"""The rules of docs/architecture.md that a machine can check: who may import whom, purity, true pages."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prodserve.config.page import page

ROOT = Path(__file__).parent.parent
CORE = ROOT / "core" / "prodserve"
PLUGINS = ("django_prodserve", "flask_prodserve")

ORDER = [
    ("errors", "clock", "adapter", "views"),
    ("config",),
    ("http",),
    ("h1",),
    ("observe",),
    ("files",),
    ("compress",),
    ("supervisor",),
    ("engine",),
    ("handlers",),
    ("worker",),
    ("cli",),
    ("__main__",),
]
"""What stands further down may import what stands above it."""

RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}

FRAMEWORKS = {"django", "flask", "werkzeug", "jinja2", *PLUGINS}
PURE_MAY_NOT = {"socket", "_socket", "ssl", "select", "selectors", "gevent", "greenlet", "time", "asyncio", "threading"}


FILES = sorted(path for folder in ("core/prodserve", *PLUGINS) for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    """``prodserve.config.options`` for core/prodserve/config/options.py."""
    parts = path.relative_to(ROOT / "core" if CORE in path.parents else ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """The full names of all modules (or names in modules) that a file imports, anywhere, for typing too."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """``config`` for ``prodserve.config.options``; ``""`` for the package itself and for other packages."""
    words = name.split(".")
    return words[1] if words[0] == "prodserve" and len(words) > 1 and words[1] in RANK else ""


def files_of(*parts: str) -> list[Path]:
    return [path for path in FILES if part(module_name(path)) in parts]


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def test_every_module_of_the_core_has_its_place_in_the_order() -> None:
    known = {path.stem if path.is_file() else path.name for path in CORE.iterdir() if not path.name.startswith("__")}
    assert known - {"py"} <= set(RANK) | {"py.typed", "py"}


@pytest.mark.parametrize("path", [p for p in FILES if CORE in p.parents], ids=module_name)
def test_imports_follow_the_direction(path: Path) -> None:
    mine = 0 if module_name(path) == "prodserve" else RANK[part(module_name(path))]
    against = [name for name in imports(path) if part(name) and RANK[part(name)] > mine]
    assert against == []


@pytest.mark.parametrize("path", files_of("http", "h1"), ids=module_name)
def test_the_protocol_touches_no_socket_no_loop_and_no_clock(path: Path) -> None:
    assert tops(path) & PURE_MAY_NOT == set()


@pytest.mark.parametrize(
    "path", files_of("errors", "clock", "adapter", "views", "config", "observe", "supervisor"), ids=module_name
)
def test_the_supervisor_and_what_it_stands_on_need_no_gevent(path: Path) -> None:
    allowed = {"prodserve.observe.access_log"}  # written by workers only
    assert module_name(path) in allowed or tops(path) & {"gevent", "greenlet", "httptools"} == set()


@pytest.mark.parametrize("path", [p for p in FILES if CORE in p.parents], ids=module_name)
def test_the_core_imports_no_framework(path: Path) -> None:
    assert tops(path) & FRAMEWORKS == set()


@pytest.mark.parametrize("path", [p for p in FILES if CORE not in p.parents], ids=module_name)
def test_a_plug_in_uses_only_adapter_errors_and_cli(path: Path) -> None:
    used = {name for name in imports(path) if name.startswith("prodserve.")}
    beyond = {
        name
        for name in used
        if not name.startswith(("prodserve.adapter.", "prodserve.errors.", "prodserve.cli.", "prodserve.VERSION"))
    }
    assert beyond == set()
    deep = {name for name in used if name.startswith("prodserve.cli.") and name.count(".") > 2}
    assert deep == set(), "what a plug-in may use of prodserve.cli stands in its __init__"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize(
    "module",
    [
        "prodserve",
        "prodserve.__main__",
        "prodserve.cli",
        "prodserve.config",
        "prodserve.config.resolve",
        "prodserve.supervisor.main",
        "prodserve.worker.boot",
        "django_prodserve",
        "flask_prodserve",
        "flask_prodserve.cli",
    ],
)
def test_importing_it_imports_neither_gevent_nor_the_engine(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in ('gevent', 'greenlet', 'httptools') "
        "or m.startswith(('prodserve.engine.', 'prodserve.worker.worker'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_supervisor_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; sys.path.append(sys.argv[1]); before = set(sys.path); import prodserve.supervisor.main; "
        "print(sorted({m.partition('.')[0] for m in sys.modules} - sys.stdlib_module_names - {'__main__'}))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT / "core")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "['prodserve']\n"


def test_nothing_reads_the_environment_or_the_clock_while_it_is_imported() -> None:
    found = []
    for path in FILES:
        for statement in ast.parse(path.read_text()).body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If):
                continue
            text = ast.unparse(statement)
            if re.search(r"os\.environ|os\.getenv|time\.(time|monotonic|perf_counter)\(", text):
                found.append(f"{module_name(path)}: {text}")
    assert found == []


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MENTIONED = re.compile(r"`((?:core|django_prodserve|flask_prodserve|tests|docs|examples|benchmarks|\.ci)/[\w./-]*)`")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.name))
def test_every_path_that_a_page_names_exists(path: Path) -> None:
    text = path.read_text()
    links = [link for link in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in link]
    missing = [name for name in MENTIONED.findall(text) if not (ROOT / name).exists()]
    missing += [link for link in links if not (path.parent / link).exists()]
    assert missing == []


def test_every_module_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    known = {module_name(path) for path in FILES}
    assert [
        name
        for name in re.findall(r"`((?:prodserve|django_prodserve|flask_prodserve)(?:\.\w+)+)`", text)
        if name not in known and name.rpartition(".")[0] not in known
    ] == []


def test_the_settings_page_is_what_the_table_generates() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page(), "python -m prodserve.config.page > docs/settings.md"
