"""gunicorn's own corpus of requests, sent to live workers by ``gunicorn_corpus.py`` of the shared suites.

One rule of the runner is widened. It adds a ``Host`` to each request that has none, but stops at the first request
line that is not HTTP/1.1; so behind the HTTP/1.0 request of its case ``valid/022`` an HTTP/1.1 request goes out without
``Host``. RFC 9112 §3.2 demands 400 for that, and we give it. Here ``Host`` is added behind HTTP/1.0 lines too.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import working

SUITES = Path(__file__).parents[3] / "shared" / "suites"
CORPUS = SUITES / "gunicorn_corpus.py"
CASES = 463


@pytest.fixture(scope="module")
def runner() -> Iterator[ModuleType]:
    """The suite's module."""
    if not CORPUS.exists():
        pytest.skip(f"the shared suites are not beside this checkout: {CORPUS}")
    spec = importlib.util.spec_from_file_location("gunicorn_corpus", CORPUS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path, argv, bytecode = sys.path[:], sys.argv, sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # the suites may lie in a folder that is not ours
    try:
        spec.loader.exec_module(module)
        module.REQLINE = re.compile(rb"^[^\r\n]*? HTTP/1\.[01]\r\n")
        yield module
    finally:
        sys.path[:], sys.argv, sys.dont_write_bytecode = path, argv, bytecode


@pytest.fixture(scope="module")
def corpus(runner: ModuleType) -> Iterator[str]:
    """The folder of the corpus, out of the sdist that pip downloads."""

    class Options:
        corpus = sdist = None
        pip_python = sys.executable
        version = runner.VERSION

    try:
        folder, holder = runner.get_corpus(Options)
    except SystemExit as why:
        pytest.skip(f"gunicorn's sdist: {why}")
    yield folder
    holder.cleanup()


@pytest.mark.parametrize("kind", [("greenlets", "epoll"), ("threads", "watchers")], ids="-".join)
def test_gunicorns_requests_mean_what_they_mean_to_gunicorn_or_are_refused(
    runner: ModuleType, corpus: str, kind: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with working(kind, "wsgi_app:app", pythonpath=SUITES) as worker:
        sys.argv = [str(CORPUS), "--port", str(worker.port), "--corpus", corpus, "--jobs", "8", "--idle", "0.6"]
        failed = runner.main()
    told = capsys.readouterr().out
    print(told)
    assert not failed
    assert f"{CASES} passed, 0 failed" in told
