from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger.point.duration import MAX_DURATION, parse_duration
from nfcbridge.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("61s", 61.0),
        ("61", 61.0),
        ("0", 0.0),
        ("2.5s", 2.5),
        ("0.25", 0.25),
        ("10m", 600.0),
        ("1h30m", 5_400.0),
        ("1d2h3m4.5s", 93_784.5),
        ("90m", 5_400.0),
        ("366d", 31_622_400.0),
    ],
)
def test_a_duration_is_told_with_units_or_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "h",
        "1x",
        "-1s",
        "+1s",
        "1s1m",
        "1m 1s",
        "1.s",
        ".5s",
        "1,5s",
        "1e3",
        "inf",
        "nan",
        "1h30",
        "\u0661s",
        "\u00b2",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="write it as 61s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["366d1s", "367d", "31622401", "999999999d"])
def test_more_than_a_leap_year_is_too_long(text: str) -> None:
    with pytest.raises(ConfigError, match="at most 366d"):
        parse_duration(text)


def test_ten_digits_are_no_number() -> None:
    with pytest.raises(ConfigError, match="is no time"):
        parse_duration("1000000000s")


@given(st.text() | st.from_regex(r"[0-9.dhms]{1,12}", fullmatch=True))
def test_any_text_is_a_duration_or_is_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ConfigError:
        return
    assert 0 <= seconds <= MAX_DURATION


def test_every_combination_of_units_is_understood() -> None:
    for chosen in product((False, True), repeat=4):
        text = "".join(f"1{unit}" for unit, there in zip("dhms", chosen, strict=True) if there)
        expected = sum(s for s, there in zip((86_400, 3_600, 60, 1), chosen, strict=True) if there)
        if text:
            assert parse_duration(text) == expected
