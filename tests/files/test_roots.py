"""Where the files of a server come from, and in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prodserve.adapter import Advice, AppPaths, StaticRoot
from prodserve.config.options import Config
from prodserve.errors import ConfigError
from prodserve.files.roots import (
    all_roots,
    browser_apps,
    configured_roots,
    extra_roots,
    file_advice,
    root_files,
    upload_roots,
)


def test_a_root_is_a_url_and_a_directory(tmp_path: Path) -> None:
    one, two = extra_roots([f"/files={tmp_path}", f"/a/b/={tmp_path}"])
    assert (one.url_prefix, one.directory, one.index, one.source) == ("/files/", str(tmp_path), True, "--static")
    assert two.url_prefix == "/a/b/"


def test_a_relative_directory_means_where_the_server_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    assert extra_roots(["/=x"])[0].directory == str(tmp_path / "x")


def test_a_directory_may_contain_an_equals_sign(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    assert extra_roots([f"/x={tmp_path}/a=b"])[0].directory == f"{tmp_path}/a=b"


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        extra_roots([f"files={tmp_path}", "/x", "/y=", f"/z={tmp_path}/absent", f"/ok={tmp_path}"])
    assert [problem.where for problem in raised.value.problems] == [
        f"--static files={tmp_path}",
        "--static /x",
        "--static /y=",
        f"--static /z={tmp_path}/absent",
    ]


PATHS = AppPaths(frozenset({"/api"}), ("/orders/",))


class Framework:
    """A framework that has one of everything."""

    def __init__(self, folder: Path, own: AppPaths | None = PATHS) -> None:
        self.folder = folder
        self.own = own
        self.asked: bool | None = None

    def static_roots(self, asked: bool) -> list[StaticRoot]:
        self.asked = asked
        return [StaticRoot("/static/", str(self.folder), source="framework")]

    def media_roots(self) -> list[StaticRoot]:
        return [StaticRoot("/uploads/", str(self.folder), uploads=True, source="framework")]

    def paths(self) -> AppPaths | None:
        return self.own

    def file_advice(self, static: str, media: bool) -> list[Advice]:
        return [Advice(f"{static} {media}")]


def roots(config: Config, framework: Framework) -> list[tuple[str, str]]:
    adapter: Any = framework
    return [(root.url_prefix, root.source) for root in all_roots(config, adapter)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("page")
    return tmp_path


def test_roots_come_in_the_order_in_which_they_are_asked(folder: Path) -> None:
    (folder / "robots.txt").touch()
    config = Config(media=(f"/m/={folder}",), spa=(f"/s/={folder}",), static=(f"/b={folder}", f"/a={folder}"))
    assert roots(config, Framework(folder)) == [
        ("/b/", "--static"),
        ("/a/", "--static"),
        ("/s/", "--spa"),
        ("/m/", "--media"),
        ("/uploads/", "framework"),
        ("/static/", "framework"),
        ("/", "robots.txt"),
    ]


def test_an_application_for_browsers_knows_what_is_left_to_the_app_beside_it(folder: Path) -> None:
    adapter: Any = Framework(folder)
    config = Config(spa=(f"/={folder}",))
    assert all_roots(config, adapter)[0].beside is PATHS
    assert [one.what for one in file_advice(config, adapter)] == ["auto True"]


@pytest.mark.parametrize(("paths", "why"), [(None, "not known"), (AppPaths(all=True), "rules for every path")])
def test_at_the_root_it_is_said_where_the_app_keeps_all_other_paths(
    folder: Path, paths: AppPaths | None, why: str
) -> None:
    adapter: Any = Framework(folder, paths)
    _, advice = file_advice(Config(spa=(f"/={folder}", f"/app={folder}")), adapter)
    assert advice.what.startswith("--spa /: index.html answers for / only")
    assert why in advice.what


@pytest.mark.parametrize(("below", "served"), [("private", False), ("", False), ("..", True), ("../beside", True)])
def test_uploads_that_hold_protected_files_are_not_served(folder: Path, below: str, served: bool) -> None:
    media = folder / "media"
    (media / "private").mkdir(parents=True)
    (folder / "beside").mkdir()
    adapter: Any = Framework(media)
    config = Config(internal=(f"/internal/={media / below}",), serve_static="never")
    assert [root.url_prefix for root in all_roots(config, adapter)] == (["/uploads/"] if served else [])
    assert any("--internal is in it" in one.what for one in file_advice(config, adapter)) is not served
    assert len(file_advice(replace(config, serve_media=False), adapter)) == 1


@pytest.mark.parametrize(
    ("serve_static", "serve_media", "prefixes", "asked"),
    [
        ("auto", True, ["/uploads/", "/static/"], False),
        ("always", False, ["/static/"], True),
        ("never", True, ["/uploads/"], None),
        ("never", False, [], None),
    ],
)
def test_the_frameworks_files_are_served_as_far_as_they_are_wanted(
    folder: Path, serve_static: str, serve_media: bool, prefixes: list[str], asked: bool | None
) -> None:
    framework = Framework(folder)
    config = Config(serve_static=serve_static, serve_media=serve_media)
    assert [prefix for prefix, _ in roots(config, framework)] == prefixes
    assert framework.asked is asked


def test_an_application_for_browsers_has_a_page_for_everything(folder: Path) -> None:
    (root,) = browser_apps([f"/app={folder}"])
    assert (root.url_prefix, root.directory, root.index, root.fallback) == ("/app/", str(folder), True, "index.html")


def test_an_application_for_browsers_without_that_page_was_not_built(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no index\.html in it"):
        browser_apps([f"/app={tmp_path}"])


def test_a_page_behind_a_link_that_leads_out_counts_where_such_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.html").touch()
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").symlink_to(tmp_path / "elsewhere.html")
    with pytest.raises(ConfigError):
        browser_apps([f"/app={tmp_path / 'dist'}"])
    assert len(browser_apps([f"/app={tmp_path / 'dist'}"], follow_links=True)) == 1


def test_uploads_are_marked_and_have_no_index(folder: Path) -> None:
    (root,) = upload_roots([f"/media={folder}"])
    assert (root.url_prefix, root.uploads, root.index, root.fallback) == ("/media/", True, False, "")


def test_what_is_wrong_with_any_kind_of_root_is_said_at_once(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    config = Config(static=(f"/a/={gone}",), spa=(f"/b/={tmp_path}",), media=(f"/c/={gone}",))
    with pytest.raises(ConfigError) as raised:
        configured_roots(config)
    where = [problem.where.split()[0] for problem in raised.value.problems]
    assert where == ["--static", "--spa", "--media"]


def test_the_first_favicon_and_robots_txt_at_the_top_of_a_root_answer_at_the_root_of_the_site(tmp_path: Path) -> None:
    for name in ("one/favicon.ico", "two/favicon.ico", "two/robots.txt", "two/deep/robots.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    one, two = StaticRoot("/1/", str(tmp_path / "one")), StaticRoot("/2/", str(tmp_path / "two"))
    listed = StaticRoot("/3/", files={"favicon.ico": str(tmp_path / "two" / "favicon.ico")})
    favicon, robots = str(tmp_path / "one" / "favicon.ico"), str(tmp_path / "two" / "robots.txt")
    (root,) = root_files([one, two, listed], PATHS)
    assert (root.url_prefix, root.files) == ("/", {"favicon.ico": favicon, "robots.txt": robots})
    (root,) = root_files([listed, one], PATHS)
    assert root.files == {"favicon.ico": str(tmp_path / "two" / "favicon.ico")}
    (root,) = root_files([one, two], AppPaths(frozenset({"/robots.txt"})))
    assert root.files == {"favicon.ico": favicon}
    assert root_files([one], AppPaths(frozenset({"/favicon.ico"}))) == []
    assert root_files([one], AppPaths(all=True)) != []
    assert root_files([one], None) == []


def test_neither_uploads_nor_folders_nor_links_that_lead_out_are_a_favicon(tmp_path: Path) -> None:
    (tmp_path / "icon").touch()
    for name in ("uploads", "static/favicon.ico", "links"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "uploads" / "favicon.ico").touch()
    (tmp_path / "links" / "favicon.ico").symlink_to(tmp_path / "icon")
    places = [
        StaticRoot("/media/", str(tmp_path / "uploads"), uploads=True),
        StaticRoot("/static/", str(tmp_path / "static")),
        StaticRoot("/links/", str(tmp_path / "links")),
        StaticRoot("/gone/", files={"favicon.ico": str(tmp_path / "gone")}),
    ]
    assert root_files(places, PATHS) == []
    assert len(root_files(places, PATHS, follow_links=True)) == 1
