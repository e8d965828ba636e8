from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.cli import ScriptInfo
from prodserve.adapter import Adapter
from prodserve.errors import ConfigError
from werkzeug.debug import DebuggedApplication

from flask_prodserve.adapter import FlaskAdapter

ENDS = ["before_fork", "worker_started", "worker_stopping"]


def adapter_of(app: Flask) -> FlaskAdapter:
    return FlaskAdapter(ScriptInfo(create_app=lambda: app, set_debug_flag=False))


def test_it_is_an_adapter() -> None:
    adapter: Adapter = adapter_of(Flask("tests"))
    assert adapter.settings() == {}


def test_its_settings_are_those_in_the_apps_config() -> None:
    app = Flask("tests")
    app.config["PRODSERVE"] = {"WORKERS": 3}
    assert adapter_of(app).settings() == {"WORKERS": 3}


def test_the_app_is_made_once() -> None:
    made = []

    def create_app() -> Flask:
        made.append(Flask("tests"))
        return made[-1]

    adapter = FlaskAdapter(ScriptInfo(create_app=create_app))
    adapter.settings()
    assert adapter.load() is made[0]
    assert len(made) == 1


def test_the_facts_name_version_and_app() -> None:
    facts = adapter_of(Flask("tests")).facts()
    assert (facts.framework, facts.app, facts.advice) == (f"Flask {version('flask')}", "tests", ())


def test_static_files_that_are_left_to_the_app_are_worth_a_word_and_how_to_ask_for_them() -> None:
    app = Flask("tests.flask_prodserve", static_folder="/tmp", static_url_path="/files")
    app.before_request(lambda: None)
    (advice,) = adapter_of(app).file_advice("auto", True)
    assert advice.what == "/files/: the app serves these static files itself: <lambda> runs before every request"
    assert "--serve-static always" in advice.fix
    assert adapter_of(app).file_advice("always", True) == adapter_of(app).file_advice("never", True) == ()
    assert [root.url_prefix for root in adapter_of(app).static_roots(True)] == ["/files/"]
    assert adapter_of(app).static_roots(False) == ()


def test_no_way_of_asking_is_named_where_there_is_none() -> None:
    (advice,) = adapter_of(Flask("tests", static_folder="/tmp", static_url_path="")).file_advice("always", True)
    assert advice.fix == ""


def test_the_paths_of_an_app_are_those_of_its_rules() -> None:
    app = Flask("tests")
    for rule in ("/robots.txt", "/orders/<int:id>", "/shop/"):
        app.add_url_rule(rule, view_func=lambda: "mine", endpoint=rule)
    paths = adapter_of(app).paths()
    assert paths is not None
    for own in ("/robots.txt", "/orders/7", "/orders", "/shop", "/shop/", "/static/a.css"):
        assert paths.has(own)
    for other in ("/", "/favicon.ico", "/profile", "/shop/x"):
        assert not paths.has(other)
    app.add_url_rule("/<path:any>", view_func=lambda any: any, endpoint="any")
    paths = adapter_of(app).paths()
    assert paths is not None
    assert paths.all
    assert "/favicon.ico" not in paths.exact


@pytest.mark.parametrize("where", ["debug", "debugger"])
def test_debug_mode_is_seen_and_so_is_a_debugger_that_the_app_brings(where: str) -> None:
    app = Flask("tests")
    assert not adapter_of(app).debug()
    if where == "debug":
        app.debug = True
    else:
        app.wsgi_app = DebuggedApplication(app.wsgi_app)  # type: ignore[method-assign]
    assert adapter_of(app).debug()


def test_an_app_that_cannot_be_found_is_a_problem_with_flasks_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="Could not locate a Flask application"):
        FlaskAdapter(ScriptInfo()).settings()


@pytest.mark.parametrize("moment", ENDS)
def test_the_pools_of_sqlalchemy_are_emptied_whenever_two_could_share_them(moment: str) -> None:
    disposed = []
    app = Flask("tests")
    engines = {name: SimpleNamespace(dispose=lambda name=name: disposed.append(name)) for name in (None, "reports")}
    app.extensions["sqlalchemy"] = SimpleNamespace(engines=engines)
    getattr(adapter_of(app), moment)()
    assert disposed == [None, "reports"]


@pytest.mark.parametrize(
    "moment", ["before_fork", "worker_started", "slot_idle", "slot_interrupted", "worker_stopping"]
)
def test_an_app_without_a_database_has_nothing_to_close(moment: str) -> None:
    getattr(adapter_of(Flask("tests")), moment)()
