"""Any WSGI app, named by its text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from prodserve.adapter import Adapter
from prodserve.cli.module import ModuleAdapter, blocking, django_debug
from prodserve.cli.target import Target, parse_target
from prodserve.errors import ConfigError

from tests.adapter_contract import AdapterContract

HELLO = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

def create_app(greeting="x", times=1):
    app.greeting = greeting * times
    return app

class Site:
    web = staticmethod(app)

site = Site()
number = 7

async def asgi(scope, receive, send): ...
"""

Project = Callable[[str, str], None]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Writes modules into a folder that is the current one; they are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)

    def write(name: str, source: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


class TestModuleAdapter(AdapterContract):
    @pytest.fixture
    def adapter(self, project: Project) -> Adapter:
        project("hello_contract.py", HELLO)
        return ModuleAdapter("hello_contract:app")


TARGETS = [
    ("hello", Target("hello")),
    ("shop.web:app", Target("shop.web", "app")),
    ("shop.web:site.web", Target("shop.web", "site.web")),
    ("shop:create_app()", Target("shop", "create_app", True)),
    ("shop:create_app('a b', 2, x=None)", Target("shop", "create_app", True, ("a b", 2), (("x", None),))),
]


@pytest.mark.parametrize(("text", "target"), TARGETS, ids=[text for text, _ in TARGETS])
def test_the_text_is_read_and_shown_again(text: str, target: Target) -> None:
    assert parse_target(text) == target
    assert str(target) == text


WRONG_TARGETS = [
    ("", "names no app"),
    (":app", "names no app"),
    ("hello:", "names no app"),
    ("src/hello.py:app", "without folder and ending: 'hello:app', started in src"),
    ("hello:create_app(os.environ)", "plain values"),
    ("hello:a b", "plain values"),
    ("hello:f(*x)", "plain values"),
    ("hello:f(**x)", "plain values"),
    ("hello:apps[0]", "plain values"),
]


@pytest.mark.parametrize(("text", "what"), WRONG_TARGETS, ids=[text for text, _ in WRONG_TARGETS])
def test_a_text_that_names_no_app_is_explained(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what.replace("(", r"\(")):
        parse_target(text)


@pytest.mark.parametrize("target", ["hello_a", "hello_a:app", "hello_a:site.web", "hello_a:create_app('y', times=2)"])
def test_an_app_is_found(project: Project, target: str) -> None:
    project("hello_a.py", HELLO)
    assert callable(ModuleAdapter(target).load())


def test_a_factory_is_called_once_with_its_values(project: Project) -> None:
    project("hello_b.py", HELLO)
    adapter = ModuleAdapter("hello_b:create_app('ho', times=2)")
    assert adapter.load() is adapter.load()
    assert adapter.load().greeting == "hoho"  # type: ignore[attr-defined]


NOT_FOUND = [
    ("hello_c:ap", "did you mean hello_c:app"),
    ("hello_c:create_app", r"call it: 'hello_c:create_app\(\)'"),
    ("hello_c:number", "is a int, not a WSGI app"),
    ("hello_c:asgi", "is an ASGI app"),
    ("nothing_here:app", "there is no module 'nothing_here'"),
    ("hello_c.py", "without folder and ending: 'hello_c'"),
    ("no_app", r"call the factory: 'no_app:make_app\(\)'"),
]


@pytest.mark.parametrize(("target", "what"), NOT_FOUND, ids=[target for target, _ in NOT_FOUND])
def test_an_app_that_is_not_there_is_explained(project: Project, target: str, what: str) -> None:
    project("hello_c.py", HELLO)
    project("no_app.py", "def make_app(): ...")
    with pytest.raises(ConfigError, match=what):
        ModuleAdapter(target).load()


def test_what_the_module_itself_fails_to_import_is_not_our_mistake_to_explain(project: Project) -> None:
    project("hello_d.py", "import not_installed_anywhere")
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        ModuleAdapter("hello_d").load()


def test_debug_is_the_apps_own_attribute(project: Project) -> None:
    project("hello_e.py", HELLO)
    adapter = ModuleAdapter("hello_e:app")
    assert not adapter.debug()
    adapter.load().debug = True  # type: ignore[attr-defined]
    assert adapter.debug()


DJANGO = [({}, False), ({"configured": False}, False), ({"configured": True}, True)]


@pytest.mark.parametrize(("attributes", "debug"), DJANGO)
def test_a_django_project_behind_the_app_is_asked_too(attributes: dict[str, bool], debug: bool) -> None:
    conf = ModuleType("django.conf")
    vars(conf)["settings"] = SimpleNamespace(DEBUG=True, **attributes)
    assert django_debug({"django.conf": conf}) is debug
    assert not django_debug({})


def test_drivers_that_block_greenlets_are_named() -> None:
    pymysql = ModuleType("pymysql")
    modules = {"sqlite3": ModuleType("sqlite3"), "MySQLdb": pymysql, "json": ModuleType("json")}
    assert list(blocking(modules)) == ["SQLite"]
    assert list(blocking({"MySQLdb": ModuleType("MySQLdb")})) == ["mysqlclient"]
