"""The table as a command line, in argparse and in click: both collect the same."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner
from prodserve.config.arguments import add_arguments, click_command_class, click_options, typed
from prodserve.config.options import ACTIONS, OPTIONS
from prodserve.config.resolve import resolve

Collect = Callable[[list[str]], dict[str, object]]


def by_argparse(argv: list[str]) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return typed(vars(parser.parse_args(argv)))


def command(found: dict[str, object]) -> click.Command:
    @click.command(cls=click_command_class())
    @click_options()
    def prodserve(**collected: object) -> None:
        found.update(typed(collected))

    return prodserve


def by_click(argv: list[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    command(found).main(argv, standalone_mode=False)
    return found


@pytest.fixture(params=[by_argparse, by_click], ids=lambda f: str(f.__name__))
def collect(request: pytest.FixtureRequest) -> Collect:
    return request.param  # type: ignore[no-any-return]


TYPED: list[tuple[list[str], dict[str, object]]] = [
    ([], {}),
    (["0:80"], {"addrport": "0:80"}),
    (["--workers", "2"], {"workers": "2"}),
    (["--workers=two"], {"workers": "two"}),
    (["--keep-alive", "0"], {"keep_alive": "0"}),
    (["--bind", "80", "--bind", "[::1]:80"], {"bind": ["80", "[::1]:80"]}),
    (["--allow-debug"], {"allow_debug": True}),
    (["--no-serve-media"], {"serve_media": False}),
    (["--explain", "--check-config"], {"explain": True, "check_config": True}),
    (["8000", "--static", "/a/=/b", "--pid", "x"], {"addrport": "8000", "static": ["/a/=/b"], "pid": "x"}),
]


@pytest.mark.parametrize(("argv", "given"), TYPED, ids=[" ".join(argv) for argv, _ in TYPED])
def test_only_what_was_typed_is_collected(collect: Collect, argv: list[str], given: dict[str, object]) -> None:
    collected = collect(argv)
    assert {name: list(value) if isinstance(value, tuple) else value for name, value in collected.items()} == given


def test_what_is_collected_can_be_resolved(collect: Collect) -> None:
    config = resolve(collect(["81", "--bind", "82", "--slots", "3", "--no-serve-media", "--explain"]), {})
    assert ([bind.port for bind in config.bind], config.slots, config.serve_media) == ([81, 82], 3, False)


def test_every_option_is_in_the_help_with_its_default_and_group(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        by_argparse(["--help"])
    for text in (capsys.readouterr().out, CliRunner().invoke(command({}), ["--help"]).output):
        words = " ".join(text.split()).replace("- ", "-")
        for option in OPTIONS:
            assert option.flag in words
            assert f"Default: {option.default_text}." in words
            assert option.group.lower() in words.lower()
        assert all(action.flag in words for action in ACTIONS)


def test_no_variable_of_clicks_own_sets_an_option() -> None:
    found: dict[str, object] = {}
    CliRunner().invoke(command(found), [], auto_envvar_prefix="FLASK", env={"FLASK_WORKERS": "3"})
    assert found == {}


def test_other_commands_options_are_left_out() -> None:
    assert typed({"verbosity": 1, "settings": "x", "workers": "2", "bind": None}) == {"workers": "2"}


def test_the_table_is_read_without_click_and_without_gevent() -> None:
    code = (
        "import sys, argparse, prodserve.config.resolve; from prodserve.config.arguments import add_arguments; "
        "add_arguments(argparse.ArgumentParser()); print([m for m in ('click', 'gevent') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
