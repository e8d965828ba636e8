"""``manage.py prodserve_compress`` and ``flask prodserve-compress``, as a user types them."""

from __future__ import annotations

import gzip
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from prodserve.adapter import StaticRoot
from prodserve.cli.compress import Request, chosen, read_request, writable
from prodserve.compress.beside import TEMPORARY, Result, clear, encode_beside
from prodserve.compress.encoders import Encoder, available
from prodserve.compress.inventory import inventory
from prodserve.compress.plan import Candidate, Job, plan
from prodserve.compress.report import table, verdict
from prodserve.errors import ConfigError
from prodserve.files.trees import tree_of

from tests.examples.sites import FLASK, copy_of, manage
from tests.server import clean_environ, wait_until

from .trees import root_of, state, text, write

SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}


def run(command: list[str], cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=clean_environ(env), capture_output=True, text=True, timeout=60, check=False
    )


def compress(site: Path, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "manage.py", "prodserve_compress", *words], site, env)


def compress_flask(site: Path, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return run([FLASK, "--app", "postcards", "prodserve-compress", *words], site, env)


def all_files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The Django site with a few collected files."""
    site = copy_of("django_site", tmp_path)
    settings = site / "lights" / "settings.py"
    settings.write_text(settings.read_text().replace('    "django.contrib.admin",\n', "", 1))
    (site / "lights" / "urls.py").write_text("urlpatterns = []\n")
    manage(site, "collectstatic", "--no-input", "-v0")
    return site


def test_a_django_project_gets_copies_beside_its_collected_files(site: Path) -> None:
    folder = site / "staticfiles"
    dense = write(folder / "dense.txt", random.Random(1).randbytes(3000))
    style = folder / "catalogue" / "style.css"
    style.chmod(0o640)
    before = all_files(folder)
    done = compress(site)
    assert (done.returncode, done.stderr) == (0, "")
    added = {path: content for path, content in all_files(folder).items() if path not in before}
    for coding, suffix in SUFFIXES.items():
        copy = style.with_name(style.name + suffix)
        assert available()[coding].decode(added[copy]) == before[style]
        assert copy.stat().st_mtime_ns == style.stat().st_mtime_ns
        assert copy.stat().st_mode & 0o777 == 0o640
    assert not [path for path in added if path.name.startswith((".", dense.name))]
    lines = done.stdout.splitlines()
    assert lines[1].split() == ["coding", "files", "before", "after", "saved"]
    count = len(added) // 3
    assert [line.split()[:2] for line in lines[2:5]] == [[coding, str(count)] for coding in SUFFIXES]
    assert lines[5] == f"{count + 1} files: {count} compressed, 0 current, 1 not worth it"

    again = compress(site)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[-1] == f"{count + 1} files: 0 compressed, {count} current, 1 not worth it"
    assert all_files(folder) == {**before, **added}

    os.utime(style, (time.time() + 5,) * 2)
    assert "1 compressed" in compress(site).stdout


def test_debug_mode_makes_no_difference_to_where_the_copies_go(site: Path) -> None:
    assert compress(site, env={"DJANGO_DEBUG": "1"}).returncode == 0
    assert (site / "staticfiles" / "catalogue" / "style.css.br").exists()


def test_a_project_that_collected_nothing_is_told_to(site: Path) -> None:
    shutil.rmtree(site / "staticfiles")
    done = compress(site)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing was collected" in done.stderr
    assert "run python manage.py collectstatic --no-input first" in done.stderr
    settings = site / "lights" / "settings.py"
    settings.write_text(settings.read_text() + "\nSTATIC_ROOT = None\n")
    done = compress(site)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no STATIC_ROOT" in done.stderr
    assert "collectstatic" in done.stderr


def test_a_flask_app_gets_copies_in_the_folders_of_app_and_blueprints(tmp_path: Path) -> None:
    site = copy_of("flask_site", tmp_path)
    extra = write(tmp_path / "extra" / "e.txt", text(1))
    done = compress_flask(site, env={"PRODSERVE_STATIC": f"/extra={extra.parent}"})
    assert (done.returncode, done.stderr) == (0, "")
    for path in (
        site / "postcards" / "static" / "style.css",
        site / "postcards" / "stamps" / "static" / "sea.svg",
        extra,
    ):
        assert gzip.decompress(path.with_name(path.name + ".gz").read_bytes()) == path.read_bytes()
    assert "0 compressed" in compress_flask(site, env={"PRODSERVE_STATIC": f"/extra={extra.parent}"}).stdout


def test_a_dry_run_writes_nothing(site: Path) -> None:
    before = all_files(site)
    done = compress(site, "--dry-run", "--codings", "gz,brotli", "--exclude", "*.svg", "--exclude", "staticfiles.json")
    assert done.returncode == 0
    shown = [line for line in done.stdout.splitlines() if line.startswith("would write ")]
    assert len(shown) == 4  # style.css, night.js, each with and without a hash
    assert all(line.endswith(("css: gzip, br", "js: gzip, br")) for line in shown)
    assert "4 to compress" in done.stdout
    assert {path: content for path, content in all_files(site).items() if "__pycache__" not in path.parts} == {
        path: content for path, content in before.items() if "__pycache__" not in path.parts
    }


def test_every_mistake_is_reported_at_once(site: Path) -> None:
    done = compress(site, "--codings", "br,lzma", "--jobs", "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--codings: lzma is not known" in done.stderr
    assert "--jobs: 'none' is not a whole number" in done.stderr


def test_what_is_not_installed_is_done_without(tmp_path: Path) -> None:
    site = copy_of("flask_site", tmp_path)
    code = (
        "import sys; sys.modules['brotli'] = sys.modules['rich.progress'] = None; from flask.cli import main; "
        "sys.argv = ['flask', '--app', 'postcards', 'prodserve-compress', *sys.argv[1:]]; main()"
    )
    done = run([sys.executable, "-c", code], site)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no .br copies: brotli is not installed (pip install brotli)\n" in done.stdout
    assert {path.suffix for path in (site / "postcards" / "static").iterdir()} >= {".gz", ".zst"}
    assert not list(site.rglob("*.br"))
    done = run([sys.executable, "-c", code, "--codings", "br"], site)
    assert (done.returncode, done.stdout) == (1, "")
    assert "fix: pip install brotli" in done.stderr


def test_a_terminal_shows_a_bar(site: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "manage.py", "prodserve_compress", "--jobs", "1"]
    env = {**clean_environ(), "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, cwd=site, env=env, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                read = os.read(ours, 4096)
            except OSError:  # Linux: the other end is closed
                break
            if not read:
                break
            shown += read
        assert process.wait() == 0
    os.close(ours)
    assert "━".encode() in shown
    assert b"100%" in shown
    assert b"not worth it" in shown


def test_a_run_killed_at_any_moment_leaves_whole_copies_only(tmp_path: Path) -> None:
    site = copy_of("flask_site", tmp_path)
    folder = site / "postcards" / "static"
    for number in range(200):
        write(folder / f"{number}.css", text(number))
    command = [FLASK, "--app", "postcards", "prodserve-compress"]
    for wanted in (1, 100, 300):
        with subprocess.Popen(command, cwd=site, env=clean_environ(), stdout=subprocess.PIPE) as process:
            wait_until(lambda wanted=wanted: process.poll() is not None or len(list(folder.iterdir())) >= 201 + wanted)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.communicate()
        for path in folder.iterdir():
            for coding, suffix in SUFFIXES.items():
                if path.suffix == suffix:
                    assert available()[coding].decode(path.read_bytes()) == path.with_suffix("").read_bytes()
    left = [path for path in folder.iterdir() if path.name.startswith(TEMPORARY)]
    for path in left:
        os.utime(path, (0, 0))
    assert compress_flask(site).returncode == 0
    assert not [path for path in folder.iterdir() if path.name.startswith(TEMPORARY)]
    assert len([path for path in folder.iterdir() if path.name.startswith("7.css")]) == 4


def job(folder: Path, name: str = "a.css") -> Job:
    (found,) = [
        job
        for job in plan(inventory(root_of(folder), tree_of(root_of(folder))), ("gzip",)).jobs
        if job.file.name == name
    ]
    return found


def test_a_file_that_changes_meanwhile_gets_no_copy(tmp_path: Path) -> None:
    path = write(tmp_path / "a.css", text(1))

    def encode(content: bytes) -> bytes:
        path.write_bytes(b"another")
        return b"copy"

    done = encode_beside(tree_of(root_of(tmp_path)), job(tmp_path), {"gzip": Encoder(encode, gzip.decompress)})
    assert done.problem == "it changed meanwhile"
    assert list(tmp_path.iterdir()) == [path]
    assert encode_beside(tree_of(root_of(tmp_path)), Job(job_file(path), ("gzip",)), available()).sizes == {}


def job_file(path: Path) -> Candidate:
    return Candidate(path.name, str(path), state(path)._replace(size=1000), {})


def test_a_younger_temporary_file_has_a_writer_that_lives(tmp_path: Path) -> None:
    young, old = write(tmp_path / f"{TEMPORARY}1", b""), write(tmp_path / f"{TEMPORARY}2", b"")
    os.utime(old, (time.time() - 4000,) * 2)
    clear(str(tmp_path))
    clear(str(tmp_path / "absent"))
    assert list(tmp_path.iterdir()) == [young]


def test_a_coding_that_is_asked_for_and_missing_is_named_with_its_package() -> None:
    with pytest.raises(ConfigError, match=r"brotli is not installed\n    fix: pip install brotli"):
        chosen(["br", "gzip"], {"gzip": available()["gzip"]})
    assert list(chosen([], {"gzip": available()["gzip"]})) == ["gzip"]
    assert list(chosen(["gzip", "br"], available())) == ["gzip", "br"]


@pytest.mark.parametrize(
    ("given", "request_"),
    [
        ({}, Request((), 3)),
        ({"codings": "gzip, zst,br,gz", "jobs": "2", "dry_run": True}, Request(("gzip", "zstd", "br"), 2, (), True)),
        ({"exclude": ("a", "b"), "codings": None, "dry_run": False}, Request((), 3, ("a", "b"))),
    ],
)
def test_options_are_read(given: Mapping[str, object], request_: Request) -> None:
    assert read_request(given, lambda: 3) == request_


def test_uploads_and_listed_files_are_no_folders_to_write_to(tmp_path: Path) -> None:
    root = root_of(tmp_path)
    others = [StaticRoot("/m/", directory="/m", uploads=True), StaticRoot("/", files={"a": "/a"})]
    assert writable([root, *others, StaticRoot("/twice/", directory=str(tmp_path))], False)[0].directory == str(
        tmp_path
    )
    with pytest.raises(ConfigError, match="there is no folder"):
        writable(others, False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_not_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match=str(tmp_path)):
        writable([root_of(tmp_path)], False)
    assert writable([root_of(tmp_path)], True)
    tmp_path.chmod(0o700)


def test_the_summary() -> None:
    def result(size: int, problem: str = "", **sizes: int) -> Result:
        return Result(
            Job(job_file(Path(__file__))._replace(state=state(Path(__file__))._replace(size=size)), ()), sizes, problem
        )

    results = [result(1_000_000, br=200_000, gzip=300_000), result(2_000, gzip=500), result(9), result(9, "no")]
    assert list(table(results)) == [
        "coding   files   before      after   saved",
        "br           1   1.0 MB   200.0 KB    80 %",
        "gzip         2   1.0 MB   300.5 KB    70 %",
    ]
    assert verdict(results, 5) == "9 files: 2 compressed, 5 current, 1 not worth it, 1 failed"
    assert list(table([])) == []
