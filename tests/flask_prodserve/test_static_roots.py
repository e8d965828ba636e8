from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_prodserve.static_roots import max_age, survey

PREFIXES = ["/static/", "/shop/files/"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("static", "shop/static"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.css").touch()
    return tmp_path


def site(folder: Path, app_class: type[Flask] = Flask, blueprint_class: type[Blueprint] = Blueprint) -> Flask:
    """An app with a static folder, and a blueprint with another one."""
    app = app_class("tests", static_folder=str(folder / "static"))
    shop = blueprint_class("shop", "tests", static_folder=str(folder / "shop" / "static"), static_url_path="/files")
    app.register_blueprint(shop, url_prefix="/shop")
    return app


def served(app: Flask) -> list[str]:
    return sorted(root.url_prefix for root in survey(app).roots)


def left(app: Flask) -> dict[str, str]:
    return {one.prefix: one.why for one in survey(app).left}


def test_the_static_folders_of_app_and_blueprints_are_served(folder: Path) -> None:
    app = site(folder)
    roots = {root.url_prefix: (root.directory, root.source, root.max_age_s) for root in survey(app).roots}
    assert roots == {
        "/static/": (str(folder / "static"), "static folder", None),
        "/shop/files/": (str(folder / "shop" / "static"), "blueprint shop", None),
    }
    assert left(app) == {}


@pytest.mark.parametrize(("configured", "seconds"), [(None, None), (0, 0), (3600, 3600), (timedelta(hours=2), 7200)])
def test_the_maximum_age_is_that_of_the_app(folder: Path, configured: Any, seconds: int | None) -> None:
    app = site(folder)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = configured
    assert max_age(configured) == seconds
    assert [root.max_age_s for root in survey(app).roots] == [seconds, seconds]


def test_a_static_folder_that_does_not_exist_is_no_root(tmp_path: Path) -> None:
    app = Flask("tests", static_folder=str(tmp_path / "absent"))
    assert survey(app).roots == ()
    assert survey(app).left == ()


def wall() -> None:
    """Runs before requests."""


def header(response: Response) -> Response:
    """Runs after requests."""
    return response


class Middleware:
    """Around the app, doing what nobody knows."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app


def add_before(app: Flask) -> None:
    app.before_request(wall)


def add_after(app: Flask) -> None:
    app.after_request(header)


def wrap(app: Flask) -> None:
    app.wsgi_app = Middleware(app.wsgi_app)  # type: ignore[method-assign]


def wrap_twice(app: Flask) -> None:
    app.wsgi_app = ProxyFix(Middleware(app.wsgi_app))  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (add_before, "wall runs before every request"),
        (add_after, "header runs after every request"),
        (wrap, "Middleware is around the app"),
        (wrap_twice, "Middleware is around the app"),
    ],
)
def test_files_are_left_to_an_app_that_has_a_hand_in_every_answer(
    folder: Path, change: Callable[[Flask], None], why: str
) -> None:
    app = site(folder)
    change(app)
    assert served(app) == []
    assert left(app) == dict.fromkeys(PREFIXES, why)


def test_a_proxy_fix_around_the_app_changes_no_file(folder: Path) -> None:
    app = site(folder)
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    assert served(app) == sorted(PREFIXES)


class OwnDispatch(Flask):
    def full_dispatch_request(self) -> Response:
        return Response()


class OwnSending(Flask):
    def send_static_file(self, filename: str) -> Response:
        return Response()


class OwnAge(Blueprint):
    def get_send_file_max_age(self, filename: str | None) -> int | None:
        return 1


@pytest.mark.parametrize(
    ("app_class", "blueprint_class", "expected"),
    [
        (OwnDispatch, Blueprint, dict.fromkeys(PREFIXES, "the app has its own full_dispatch_request")),
        (OwnSending, Blueprint, {"/static/": "the app has its own send_static_file"}),
        (Flask, OwnAge, {"/shop/files/": "blueprint shop has its own get_send_file_max_age"}),
    ],
)
def test_an_overridden_method_leaves_its_files_to_the_app(
    folder: Path, app_class: type[Flask], blueprint_class: type[Blueprint], expected: dict[str, str]
) -> None:
    app = site(folder, app_class, blueprint_class)
    assert left(app) == expected
    assert set(served(app)) == set(PREFIXES) - set(expected)


@pytest.mark.parametrize("endpoint", ["static", "shop.static"])
def test_an_overridden_endpoint_leaves_its_files_to_the_app(folder: Path, endpoint: str) -> None:
    app = site(folder)
    app.view_functions[endpoint] = lambda filename: "mine"
    assert list(left(app).values()) == [f"the endpoint {endpoint} has a view of its own"]


def test_a_hook_of_one_blueprint_concerns_its_own_files_only(folder: Path) -> None:
    app = Flask("tests", static_folder=str(folder / "static"))
    outer = Blueprint("outer", "tests", url_prefix="/outer")
    inner = Blueprint("inner", "tests", static_folder=str(folder / "shop" / "static"), static_url_path="/files")
    outer.before_request(wall)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    assert served(app) == ["/static/"]
    assert left(app) == {"/outer/files/": "wall runs before every request of outer"}


def own_view(app: Flask) -> None:
    app.view_functions["static"] = app.view_functions["shop.static"] = lambda filename: "mine"


@pytest.mark.parametrize("change", [add_before, add_after, wrap, own_view])
def test_files_are_taken_from_such_an_app_where_the_server_is_asked_to(
    folder: Path, change: Callable[[Flask], None]
) -> None:
    app = site(folder)
    change(app)
    assert served(app) == []
    assert not any(one.firm for one in survey(app).left)
    taken = survey(app, asked=True)
    assert sorted(root.url_prefix for root in taken.roots) == sorted(PREFIXES)
    assert taken.left == ()


def test_files_whose_urls_are_not_theirs_alone_stay_with_the_app_even_so(folder: Path) -> None:
    app = Flask("tests", static_folder=str(folder / "static"), static_url_path="")
    (left,) = survey(app, asked=True).left
    assert (left.prefix, left.firm) == ("/", True)
    app = Flask("tests", static_folder=str(folder / "static"), static_host="files.example", host_matching=True)
    assert survey(app, asked=True).roots == ()


def test_files_that_share_their_urls_with_pages_are_left_to_the_app(folder: Path) -> None:
    app = Flask("tests", static_folder=str(folder / "static"), static_url_path="")
    assert left(app) == {"/": "they share their URLs with the pages"}


def test_files_of_one_host_are_left_to_the_app(folder: Path) -> None:
    app = Flask("tests", static_folder=str(folder / "static"), static_host="files.example", host_matching=True)
    assert left(app) == {"/static/": "they belong to one host name"}


def test_files_below_a_variable_prefix_are_left_to_the_app(folder: Path) -> None:
    app = Flask("tests", static_folder=None)
    shop = Blueprint("shop", "tests", static_folder=str(folder / "shop" / "static"))
    app.register_blueprint(shop, url_prefix="/<language>")
    assert served(app) == []
    assert left(app) == {"/<language>/static/": "their URL is not a plain prefix (/<language>/static/<path:filename>)"}
