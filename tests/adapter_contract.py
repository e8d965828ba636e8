"""What every adapter promises, as tests: subclass ``AdapterContract`` and give it the fixture ``adapter``.

    class TestDjangoAdapter(AdapterContract):
        path = "/"                      # answers 2xx or 3xx

        @pytest.fixture
        def adapter(self) -> Adapter:   # of a project that can be loaded
            return DjangoAdapter()

The tests call it in the order of ``prodserve.adapter``: first process, generation, worker.
"""

from __future__ import annotations

import inspect
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from prodserve.adapter import Adapter, Advice, Facts, StaticRoot, WSGIApp
from prodserve.config.resolve import resolve

METHODS = [name for name in vars(Adapter) if not name.startswith("_")]


def get(app: WSGIApp, path: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """One GET through ``wsgiref.validate``, the response closed."""
    environ: dict[str, Any] = {"QUERY_STRING": ""}
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "SERVER_NAME": "localhost", "HTTP_HOST": "localhost"}
    answers: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answers.append((status, headers))
        return lambda data: None

    response = validator(app)(environ, start_response)
    try:
        body = b"".join(response)
    finally:
        response.close()
    status, headers = answers[-1]
    return status, headers, body


def is_line(text: object) -> bool:
    """Whether it can stand in one line of the banner."""
    return isinstance(text, str) and bool(text) and text.isprintable()


class AdapterContract:
    """The promises. ``path`` is answered by the project with 2xx or 3xx."""

    path = "/"

    @pytest.fixture
    def adapter(self) -> Adapter:
        """An adapter of a project that can be loaded."""
        raise NotImplementedError

    @pytest.fixture
    def generation(self, adapter: Adapter) -> Iterator[tuple[Adapter, WSGIApp]]:
        """The adapter as a generation process has brought it to the first fork, and its app."""
        adapter.settings()
        adapter.debug()
        adapter.facts()
        app = adapter.load()
        adapter.static_roots(False)
        adapter.media_roots()
        adapter.before_fork()
        yield adapter, app
        adapter.worker_stopping()

    @pytest.mark.parametrize("name", METHODS)
    def test_has_every_method_with_its_signature(self, adapter: Adapter, name: str) -> None:
        wanted = list(inspect.signature(getattr(Adapter, name)).parameters)
        assert list(inspect.signature(getattr(type(adapter), name)).parameters) == wanted

    def test_its_settings_can_be_resolved(self, adapter: Adapter) -> None:
        resolve({}, {}, adapter.settings())

    def test_debug_mode_is_on_or_off(self, adapter: Adapter) -> None:
        assert adapter.debug() in (True, False)

    def test_reasons_for_threads_are_short_lines(self, adapter: Adapter) -> None:
        assert all(is_line(reason) for reason in adapter.thread_reasons())

    def test_facts_are_known_before_and_after_loading(self, adapter: Adapter) -> None:
        adapter.settings()
        for facts in (adapter.facts(), adapter.load() and adapter.facts()):
            assert isinstance(facts, Facts)
            assert is_line(facts.framework)
            assert is_line(facts.app)
            assert all(is_line(label) and is_line(text) for label, text in facts.lines)
            assert all(isinstance(one, Advice) and is_line(one.what) for one in facts.advice)
            json.dumps(asdict(facts))

    def test_the_loaded_app_answers(self, generation: tuple[Adapter, WSGIApp]) -> None:
        adapter, app = generation
        adapter.worker_started()
        status, _, _ = get(app, self.path)
        assert status[0] in "23"

    def test_static_roots_are_well_formed(self, generation: tuple[Adapter, WSGIApp]) -> None:
        adapter, _ = generation
        for root in (*adapter.static_roots(False), *adapter.static_roots(True), *adapter.media_roots()):
            assert isinstance(root, StaticRoot)
            assert root.url_prefix.startswith("/")
            assert root.url_prefix.endswith("/")
            assert (root.directory is None) != (root.files is None)
            assert root.directory is None or os.path.isabs(root.directory)
            for name, path in (root.files or {}).items():
                assert not name.startswith("/")
                assert os.path.isabs(path)
            assert all(not name.startswith("/") for name in root.immutable)

    def test_uploads_and_nothing_else_are_marked_as_such(self, generation: tuple[Adapter, WSGIApp]) -> None:
        adapter, _ = generation
        assert all(root.uploads for root in adapter.media_roots())
        assert not any(root.uploads for root in adapter.static_roots(True))

    def test_asking_for_static_files_takes_none_away(self, generation: tuple[Adapter, WSGIApp]) -> None:
        adapter, _ = generation
        unasked = {root.url_prefix for root in adapter.static_roots(False)}
        assert unasked <= {root.url_prefix for root in adapter.static_roots(True)}

    @pytest.mark.parametrize("static", ["auto", "always", "never"])
    @pytest.mark.parametrize("media", [True, False])
    def test_advice_on_files_is_in_short_lines(
        self, generation: tuple[Adapter, WSGIApp], static: str, media: bool
    ) -> None:
        adapter, _ = generation
        assert all(isinstance(one, Advice) and is_line(one.what) for one in adapter.file_advice(static, media))

    def test_the_paths_that_it_names_are_paths(self, generation: tuple[Adapter, WSGIApp]) -> None:
        paths = generation[0].paths()
        assert paths is None or all(path.startswith("/") for path in (*paths.exact, *paths.beginnings))
        assert paths is None or paths.has(self.path)

    def test_the_app_answers_after_every_call_of_a_slots_life(self, generation: tuple[Adapter, WSGIApp]) -> None:
        adapter, app = generation
        adapter.worker_started()
        for call in (adapter.slot_idle, adapter.slot_interrupted, adapter.slot_idle):
            status, _, _ = get(app, self.path)
            assert status[0] in "23"
            call()
        status, _, _ = get(app, self.path)
        assert status[0] in "23"

    def test_a_slot_that_never_ran_a_request_may_be_idle_or_end(self, generation: tuple[Adapter, WSGIApp]) -> None:
        adapter, _ = generation
        adapter.worker_started()
        failures: list[BaseException] = []

        def slot() -> None:
            try:
                adapter.slot_idle()
                adapter.slot_interrupted()
                adapter.worker_stopping()
            except BaseException as error:  # shown by the assertion below
                failures.append(error)

        thread = threading.Thread(target=slot)
        thread.start()
        thread.join()
        assert failures == []

    def test_what_the_worker_calls_returns_nothing(self, generation: tuple[Adapter, WSGIApp]) -> None:
        adapter, _ = generation
        for name in ("before_fork", "worker_started", "slot_idle", "slot_interrupted", "worker_stopping"):
            assert getattr(adapter, name)() is None, name
