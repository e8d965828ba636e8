"""The request that every server gets, and the Lua that makes wrk send it."""

from __future__ import annotations

import re

from benchmarks import browser


def fields_of(head: str) -> list[tuple[str, str]]:
    lines = head.split("\r\n")
    assert lines[-2:] == ["", ""]
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:-2])]


def test_the_request_has_sixteen_fields_and_begins_with_the_host() -> None:
    head = browser.request(8123, "/static/site.css").decode()
    assert head.startswith("GET /static/site.css HTTP/1.1\r\nHost: 127.0.0.1:8123\r\n")
    assert len(fields_of(head)) == 16
    assert len({name.lower() for name, _ in fields_of(head)}) == 16


def test_only_cookie_and_user_agent_vary() -> None:
    same, varying = (fields_of(browser.head(80, "/", varying=varying)) for varying in (False, True))
    assert {name for (name, one), (_, other) in zip(same, varying, strict=True) if one != other} == {
        "Cookie",
        "User-Agent",
    }
    assert all(browser.COUNTER in value for value in browser.VARYING.values())
    assert browser.COUNTER not in browser.head(80, "/", varying=False)


def test_the_script_sends_the_very_bytes_of_the_request() -> None:
    script = browser.wrk_script(browser.head(8123, "/"))
    literal = re.search(r'wrk\.format = function\(\) return "(.*)" end', script)
    assert literal is not None
    assert literal[1].encode().decode("unicode_escape").encode() == browser.request(8123, "/")


def test_the_varying_script_counts() -> None:
    script = browser.wrk_script(browser.head(8123, "/", varying=True))
    assert f"local n = {browser.FIRST_NUMBER}" in script
    assert script.count(" .. n .. ") == len(browser.VARYING)


def test_the_script_with_choices_puts_one_of_them_into_each_request() -> None:
    head = browser.head(8123, f"/static/{browser.COUNTER}", more=[("Range", "bytes=0-9")])
    script = browser.wrk_script(head, ("a.png", "b.png"))
    assert 'local c, x = {"a.png","b.png"}, 1' in script
    assert 'return "GET /static/" .. n .. " HTTP/1.1\\r\\nHost: ' in script
    assert "Range: bytes=0-9\\r\\n\\r\\n" in script


def test_a_request_with_a_choice_is_what_the_script_sends() -> None:
    sent = browser.request(80, "/film", [("Range", f"bytes={browser.COUNTER}")], "5-9").decode()
    assert fields_of(sent)[-1] == ("Range", "bytes=5-9")
