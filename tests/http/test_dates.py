"""Dates that clients send: three forms, and what is none of them."""

from __future__ import annotations

import pytest
from prodserve.clock import http_date
from prodserve.http.dates import parse_date

NOW_S = 1_800_000_000  # January 2027
MOMENT_S = 784_111_777  # RFC 9110 §5.6.7's own example


@pytest.mark.parametrize(
    "value",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_all_three_forms_name_the_same_moment(value: str) -> None:
    assert parse_date(value, NOW_S) == MOMENT_S


@pytest.mark.parametrize("moment_s", [0, 1, 951_782_400, 951_868_799, 1_709_164_800, 4_102_444_800])
def test_what_we_write_we_can_read(moment_s: int) -> None:
    assert parse_date(http_date(moment_s), NOW_S) == moment_s


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("Friday, 01-Jan-77 00:00:00 GMT", 2077),
        ("Saturday, 01-Jan-78 00:00:00 GMT", 1978),
        ("Friday, 01-Jan-99 00:00:00 GMT", 1999),
        ("Friday, 01-Jan-27 00:00:00 GMT", 2027),
    ],
)
def test_a_year_of_two_digits_is_at_most_50_years_ahead(value: str, year: int) -> None:
    parsed = parse_date(value, NOW_S)
    assert parsed is not None
    assert f" {year} " in http_date(parsed)


def test_a_leap_second_is_a_time() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW_S) == 1_483_228_800


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "-1",
        "now",
        "784111777",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Tue, 29 Feb 2023 00:00:00 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
        "Sun Nov 31 08:49:37 1994",
        "1994-11-06T08:49:37Z",
    ],
)
def test_what_is_no_date_is_nothing(value: str) -> None:
    assert parse_date(value, NOW_S) is None
