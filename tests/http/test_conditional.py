"""Preconditions: which of 200, 304 and 412 a request comes to, as a table."""

from __future__ import annotations

import pytest
from prodserve.http.conditional import Verdict, entity_tags, evaluate, range_is_current, strongly_equal, weakly_equal

NOW_S = 1_800_000_000
CHANGED_S = 784_111_777
CHANGED = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"
ETAG = '"abc"'
P, N, F = Verdict.PROCEED, Verdict.NOT_MODIFIED, Verdict.FAILED


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("", ()),
        (",", ()),
        ('"a"', ('"a"',)),
        ('""', ('""',)),
        ('W/"a"', ('W/"a"',)),
        ('"a", "b"', ('"a"', '"b"')),
        ('"a","b"', ('"a"', '"b"')),
        (' "a" , W/"b" ,', ('"a"', 'W/"b"')),
        (',,"a",,"b",', ('"a"', '"b"')),
        ('"a,b"', ('"a,b"',)),
        ('"a\\"', ('"a\\"',)),
        ('"é"', ('"é"',)),
        ('w/"a"', ()),
        ("a", ()),
        ("a, b", ()),
        ('"a" "b"', ()),
        ('"a"b', ()),
        ('"a', ()),
        ('"a", b', ()),
        ('"a b"', ()),
        ('W/ "a"', ()),
        ("*", ()),
        ('"a", *', ()),
    ],
)
def test_a_list_of_tags_is_read_whole_or_not_at_all(value: str, tags: tuple[str, ...]) -> None:
    assert entity_tags(value) == tags


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [  # the table of RFC 9110 §8.8.3.2
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
        ('"1"', '"2"', False, False),
    ],
)
def test_tags_compare_strongly_and_weakly(one: str, other: str, strong: bool, weak: bool) -> None:
    assert (strongly_equal(one, other), weakly_equal(one, other)) == (strong, weak)
    assert (strongly_equal(other, one), weakly_equal(other, one)) == (strong, weak)


IM, IUS, INM, IMS = "HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE"

GET_CASES: list[tuple[dict[str, str], Verdict]] = [
    ({}, P),
    # If-None-Match
    ({INM: ETAG}, N),
    ({INM: 'W/"abc"'}, N),
    ({INM: "*"}, N),
    ({INM: " * "}, N),
    ({INM: '"x"'}, P),
    ({INM: '"x", "abc"'}, N),
    ({INM: '"x",W/"abc" , "y"'}, N),
    ({INM: '"x", "y"'}, P),
    ({INM: '"ABC"'}, P),
    ({INM: "abc"}, P),
    ({INM: '"abc'}, P),
    ({INM: '"abc";gzip'}, P),
    ({INM: '"x,"abc""'}, P),
    ({INM: '"x, abc"'}, P),
    ({INM: '"abc", *'}, P),
    ({INM: ""}, P),
    # If-Modified-Since
    ({IMS: CHANGED}, N),
    ({IMS: AFTER}, N),
    ({IMS: BEFORE}, P),
    ({IMS: "Sunday, 06-Nov-94 08:49:37 GMT"}, N),
    ({IMS: "Sun Nov  6 08:49:37 1994"}, N),
    ({IMS: "yesterday"}, P),
    ({IMS: "0"}, P),
    ({IMS: ""}, P),
    # If-None-Match goes before If-Modified-Since, also where it does not match
    ({INM: '"x"', IMS: AFTER}, P),
    ({INM: ETAG, IMS: BEFORE}, N),
    ({INM: "nonsense", IMS: AFTER}, P),
    # If-Match
    ({IM: ETAG}, P),
    ({IM: "*"}, P),
    ({IM: '"x", "abc"'}, P),
    ({IM: '"x"'}, F),
    ({IM: 'W/"abc"'}, F),
    ({IM: "abc"}, F),
    ({IM: ""}, F),
    # If-Unmodified-Since
    ({IUS: CHANGED}, P),
    ({IUS: AFTER}, P),
    ({IUS: BEFORE}, F),
    ({IUS: "yesterday"}, P),
    # If-Match goes before If-Unmodified-Since
    ({IM: ETAG, IUS: BEFORE}, P),
    ({IM: '"x"', IUS: AFTER}, F),
    # both groups: first the one that protects, then the one that saves
    ({IM: ETAG, INM: ETAG}, N),
    ({IM: '"x"', INM: ETAG}, F),
    ({IM: ETAG, INM: '"x"'}, P),
    ({IUS: CHANGED, IMS: CHANGED}, N),
    ({IUS: BEFORE, IMS: AFTER}, F),
    ({IUS: AFTER, INM: '"x"', IMS: AFTER}, P),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("fields", "verdict"), GET_CASES)
def test_preconditions_of_a_get_come_to_one_verdict(method: str, fields: dict[str, str], verdict: Verdict) -> None:
    assert evaluate(method, fields, ETAG, CHANGED_S, NOW_S) is verdict


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [({INM: ETAG}, F), ({INM: "*"}, F), ({INM: '"x"'}, P), ({IMS: CHANGED}, P), ({IM: ETAG}, P), ({IM: '"x"'}, F)],
)
def test_what_would_be_a_304_fails_for_other_methods(fields: dict[str, str], verdict: Verdict) -> None:
    assert evaluate("PUT", fields, ETAG, CHANGED_S, NOW_S) is verdict


@pytest.mark.parametrize("fields", [{IMS: AFTER}, {IUS: BEFORE}])
def test_dates_do_not_count_where_none_is_known(fields: dict[str, str]) -> None:
    assert evaluate("GET", fields, ETAG, None, NOW_S) is P


def test_a_weak_tag_of_ours_never_satisfies_if_match() -> None:
    assert evaluate("GET", {IM: 'W/"abc"'}, 'W/"abc"', CHANGED_S, NOW_S) is F


@pytest.mark.parametrize(
    ("if_range", "current"),
    [
        (None, True),
        (ETAG, True),
        (f" {ETAG} ", True),
        ('W/"abc"', False),
        ('"x"', False),
        ('"abc", "x"', False),
        ('"abc', False),
        (CHANGED, True),
        ("Sunday, 06-Nov-94 08:49:37 GMT", True),
        (BEFORE, False),
        (AFTER, False),
        ("*", False),
        ("abc", False),
        ("", False),
    ],
)
def test_if_range_demands_the_very_same_representation(if_range: str | None, current: bool) -> None:
    assert range_is_current(if_range, ETAG, CHANGED_S, NOW_S) is current


def test_if_range_with_nonsense_is_not_equal_to_an_unknown_date() -> None:
    assert not range_is_current("nonsense", ETAG, None, NOW_S)


def test_a_weak_tag_of_ours_never_satisfies_if_range() -> None:
    assert not range_is_current('W/"abc"', 'W/"abc"', CHANGED_S, NOW_S)


def test_a_hostile_list_is_read_in_linear_time() -> None:
    assert entity_tags(", " * 4000 + "x") == ()
    assert entity_tags('"' * 8000) == ()
    assert entity_tags('W/"a" ' * 1300) == ()
