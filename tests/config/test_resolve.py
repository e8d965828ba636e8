"""From what was given to one configuration, or to all the problems at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from prodserve.config.addresses import Bind
from prodserve.config.explain import explain
from prodserve.config.options import OPTIONS, Config
from prodserve.config.resolve import CHECKS, reloaded, resolve, trace
from prodserve.errors import ConfigError

LAYERS: list[tuple[Mapping[str, object], Mapping[str, str], Mapping[str, object], int | None, str]] = [
    ({}, {}, {}, None, "default"),
    ({}, {}, {"WORKERS": 4}, 4, "settings"),
    ({}, {"PRODSERVE_WORKERS": "3"}, {"WORKERS": 4}, 3, "environment"),
    ({"workers": "2"}, {"PRODSERVE_WORKERS": "3"}, {"WORKERS": 4}, 2, "command line"),
    ({"workers": "auto"}, {"PRODSERVE_WORKERS": "3"}, {}, None, "command line"),
    ({}, {"PRODSERVE_WORKERS": ""}, {"WORKERS": 4}, 4, "settings"),
    ({}, {"PRODSERVE_WORKERS": " "}, {}, None, "default"),
]


@pytest.mark.parametrize(("given", "environ", "settings", "workers", "layer"), LAYERS)
def test_the_first_layer_that_has_a_value_decides(
    given: Mapping[str, object], environ: Mapping[str, str], settings: Mapping[str, object], workers: int, layer: str
) -> None:
    resolution = trace(given, environ, settings)
    assert resolution.config.workers == workers
    assert resolution.sources["workers"].layer == layer


@pytest.mark.parametrize("key", ["KEEP_ALIVE", "keep_alive", "keep-alive", "Keep-Alive"])
@pytest.mark.parametrize("value", [20, 20.0, "20", "20s"])
def test_settings_have_keys_in_any_spelling_and_typed_or_written_values(key: str, value: object) -> None:
    assert resolve({}, {}, {key: value}).keep_alive == 20.0


ADDRESSES = [
    ({}, "127.0.0.1:8000"),
    ({"addrport": "0:80"}, "0.0.0.0:80"),
    ({"bind": ["80", "[::1]:80"]}, "127.0.0.1:80, [::1]:80"),
    ({"addrport": "81", "bind": ["80"]}, "127.0.0.1:81, 127.0.0.1:80"),
    ({"addrport": "81", "bind": "80"}, "127.0.0.1:81, 127.0.0.1:80"),
    ({"addrport": None}, "127.0.0.1:8000"),
]


@pytest.mark.parametrize(("given", "bind"), ADDRESSES)
def test_the_positional_address_is_the_first_of_all(given: Mapping[str, object], bind: str) -> None:
    assert ", ".join(map(str, resolve(given, {}, {}).bind)) == bind


def test_a_typed_address_replaces_those_of_the_environment() -> None:
    assert resolve({"addrport": "81"}, {"PRODSERVE_BIND": "82,unix:/a"}).bind == (Bind("tcp", "127.0.0.1", 81),)


def test_a_variable_separates_several_values_by_commas() -> None:
    assert list(map(str, resolve({}, {"PRODSERVE_BIND": "82, unix:/a"}).bind)) == ["127.0.0.1:82", "unix:/a"]


PROBLEMS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"environ": {"PRODSERVE_WORKER": "2"}},
        "PRODSERVE_WORKER: there is no such setting",
        "did you mean PRODSERVE_WORKERS?",
    ),
    ({"environ": {"PRODSERVE_workers": "2"}}, "PRODSERVE_workers", "did you mean PRODSERVE_WORKERS?"),
    ({"environ": {"PRODSERVE_FLAVOUR": "2"}}, "PRODSERVE_FLAVOUR", "--explain shows every setting"),
    ({"environ": {"PRODSERVE_WORKERS": "x"}}, "PRODSERVE_WORKERS: 'x'", "PRODSERVE_WORKERS=2"),
    ({"settings": {"timeout-graceful": 3}}, "PRODSERVE['timeout-graceful']", "did you mean GRACEFUL_TIMEOUT?"),
    ({"settings": {"Worker_Modell": 3}}, "PRODSERVE['Worker_Modell']", "did you mean WORKER_MODEL?"),
    ({"settings": {3: 3}}, "PRODSERVE[3]", ""),
    ({"settings": {"workers": 0}}, "PRODSERVE['workers']: 0 is out of range", '{"WORKERS": "2"}'),
    ({"settings": {"workers": 1, "WORKERS": 2}}, "PRODSERVE['WORKERS']: the same setting as", "keep one"),
    ({"settings": ["workers"]}, "PRODSERVE: is a list, but must be a dictionary", "PRODSERVE = {"),
    ({"settings": {"KEEP_ALIVE": None}}, "PRODSERVE['KEEP_ALIVE']: None is not a time", '"KEEP_ALIVE": "75"'),
    ({"given": {"workrs": "2"}}, "--workrs: there is no such setting", "did you mean --workers?"),
    ({"given": {"allow_debug": "x"}}, "--allow-debug: 'x' is neither", "fix: --allow-debug"),
    ({"given": {"bind": ["8000", ":80"]}}, "--bind: ':80' is not an address", "fix: --bind 127.0.0.1:8000"),
    ({"given": {"addrport": "80", "bind": ["80"]}}, "--bind: 127.0.0.1:80 is given twice", "leave one"),
    ({"settings": {"BIND": []}}, "--bind: no address to listen on", "--bind 127.0.0.1:8000"),
    ({"given": {"static": ["/a/=/b", "/a=/c"]}}, "--static: /a/=/b and /a=/c have the same URL prefix", "leave"),
    ({"given": {"static": ["/a/=/b"], "media": ["/a=/c"]}}, "--media: /a/=/b and /a=/c have the same URL", "leave"),
    ({"given": {"serve_static": "no way"}}, "--serve-static: 'no way' is none of auto, always, never", "auto"),
    ({"given": {"spa": ["dist"]}}, "--spa: 'dist' is not a static root", "fix: --spa /app/=/srv/app/dist"),
]


@pytest.mark.parametrize(("layers", "text", "fix"), PROBLEMS, ids=[text for _, text, _ in PROBLEMS])
def test_a_problem_says_where_it_is_and_how_to_mend_it(layers: dict[str, Any], text: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(layers.get("given", {}), layers.get("environ", {}), layers.get("settings", {}))
    assert len(caught.value.problems) == 1
    assert text in str(caught.value)
    assert fix in str(caught.value)


def test_all_problems_of_all_layers_are_reported_at_once_in_their_order() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(
            {"workers": "x", "keep_alive": "y"},
            {"PRODSERVE_WORKERS": "z", "PRODSERVE_NO": "1"},
            {"WORKERS": "v", "SLOTS": 0},
        )
    found = [problem.where for problem in caught.value.problems]
    assert sorted(found) == sorted(
        ["--workers", "--keep-alive", "PRODSERVE_WORKERS", "PRODSERVE_NO", "PRODSERVE['WORKERS']", "PRODSERVE['SLOTS']"]
    )


def test_port_0_may_be_given_twice() -> None:
    assert len(resolve({"bind": ["0", "0"]}, {}).bind) == 2


def test_actions_are_no_settings() -> None:
    assert resolve({"explain": True, "check_config": True}, {}) == Config()


def test_the_defaults_pass_every_check() -> None:
    assert [problem for check in CHECKS for problem in check(Config())] == []


CONFIGS = [
    Config(),
    resolve({"bind": ["0:80", "unix:/a b", "fd://3"], "static": ["/a/=/b"], "slots": 3, "keep_alive": "500ms"}, {}),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_survives_json(config: Config) -> None:
    assert Config.from_plain(json.loads(json.dumps(config.to_plain()))) == config


def test_a_reload_takes_over_what_it_may_and_names_the_rest() -> None:
    running = resolve({"workers": 2, "keep_alive": 10}, {})
    config, kept = reloaded(running, resolve({"workers": 4, "keep_alive": 20, "bind": ["81"]}, {}))
    assert (config.workers, config.keep_alive, config.bind) == (2, 20.0, running.bind)
    assert [option.name for option in kept] == ["bind", "workers"]


def test_explain_shows_every_setting_with_its_source() -> None:
    lines = explain(trace({"addrport": "81"}, {"PRODSERVE_WORKERS": "3"}, {"keep-alive": 20}))
    table = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines[1:]}
    assert list(table) == [option.name for option in OPTIONS]
    assert table["bind"] == ["127.0.0.1:81", "command line: address"]
    assert table["workers"] == ["3", "environment: PRODSERVE_WORKERS"]
    assert table["keep_alive"] == ["20", "settings: PRODSERVE['keep-alive']"]
    assert table["slots"] == ["auto", "default"]
