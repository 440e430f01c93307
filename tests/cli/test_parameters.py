"""What each option takes, and the sentence with which it refuses."""

from typing import Any

import click
import pytest

from nfcbridge.charger import Role
from nfcbridge.cli.parameters import (
    ROLES,
    AppName,
    Duration,
    Endpoint,
    Language,
    Number,
    Octets,
    Origin,
    RoleFile,
    host_of_endpoint,
    is_loopback,
)


def convert(kind: click.ParamType[Any], value: str) -> object:
    return kind.convert(value, None, None)


def refusal(kind: click.ParamType[Any], value: str) -> str:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert(value, None, None)
    return caught.value.message


@pytest.mark.parametrize("value", ["08010203", "08 01 02 03", "08:01:02:03"])
def test_octets_are_hex_with_or_without_separators(value: str) -> None:
    assert convert(Octets(4, 7), value) == bytes.fromhex("08010203")


def test_octets_that_were_converted_before_stay_what_they_are() -> None:
    assert Octets(4).convert(b"\x08", None, None) == b"\x08"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0801020", "is not octets in hex"),
        ("uid", "is not octets in hex"),
        ("", "no octets"),
        ("080102", "has 3 octets; 4 or 7 are allowed"),
    ],
)
def test_octets_refuse_what_is_not_hex_or_too_short(value: str, words: str) -> None:
    assert words in refusal(Octets(4, 7), value)


@pytest.mark.parametrize(
    ("value", "seconds"), [("400ms", 0.4), ("0.4s", 0.4), (".4s", 0.4), ("8s", 8), ("0s", 0), (" 8000 ms ", 8)]
)
def test_a_duration_is_in_seconds_whatever_its_unit(value: str, seconds: float) -> None:
    assert convert(Duration(0, 8), value) == seconds


def test_a_duration_that_was_converted_before_stays_what_it_is() -> None:
    assert Duration(0, 8).convert(0.25, None, None) == 0.25


@pytest.mark.parametrize("value", ["400", "0.4", "", "s", "0,4s", "4m", "-1s", "1e3ms", "infs"])
def test_a_duration_without_its_unit_is_refused_with_the_form_that_is_allowed(value: str) -> None:
    assert refusal(Duration(0, 8), value).endswith("allowed is 0s to 8s, written as 400ms or 0.4s")


@pytest.mark.parametrize("value", ["8001ms", "8.001s", "99ms"])
def test_a_duration_past_a_limit_is_refused_with_the_limits(value: str) -> None:
    assert "out of range; allowed is 0.1s to 8s" in refusal(Duration(0.1, 8), value)


@pytest.mark.parametrize(("value", "number"), [("15", 15), ("251", 251), ("0x7FFF", 0x7FFF)])
def test_a_number_may_be_decimal_or_hex(value: str, number: int) -> None:
    assert convert(Number(15, 0x7FFF), value) == number


@pytest.mark.parametrize("value", ["14", "0x8000", "many", "", "-15", "1.5"])
def test_a_number_past_a_limit_is_refused_with_the_limits(value: str) -> None:
    assert "is not a number from 15 to 32767" in refusal(Number(15, 0x7FFF), value)


def test_a_number_that_is_a_default_stays_what_it_is() -> None:
    assert Number(15, 255).convert(251, None, None) == 251


@pytest.mark.parametrize("value", ["127.0.0.1:8080", "[::1]:8080", "localhost:0", "controller.local:65535"])
def test_an_endpoint_is_a_host_and_a_port(value: str) -> None:
    assert convert(Endpoint(), value) == value


def test_no_endpoint_at_all_is_called_none() -> None:
    assert convert(Endpoint(), "none") is None


@pytest.mark.parametrize(
    "value", ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:8080", "http://a:80", "a b:80"]
)
def test_an_endpoint_without_host_or_port_is_refused_with_examples(value: str) -> None:
    assert "is not HOST:PORT, such as 127.0.0.1:8080" in refusal(Endpoint(), value)


def test_a_role_file_is_split_at_the_first_equals_sign() -> None:
    role, file = RoleFile().convert("operator=/run/a=b", None, None)
    assert (role, str(file)) == ("operator", "/run/a=b")


def test_a_role_file_that_was_converted_before_stays_what_it_is() -> None:
    value = RoleFile().convert("user=x", None, None)
    assert RoleFile().convert(value, None, None) is value


@pytest.mark.parametrize("value", ["operator", "operator=", "password.txt"])
def test_a_role_file_without_a_file_is_refused_with_an_example(value: str) -> None:
    assert "is not ROLE=FILE, such as operator=password.txt" in refusal(RoleFile(), value)


@pytest.mark.parametrize("value", ["root=x", "=x", "Operator=x"])
def test_a_role_that_does_not_exist_is_refused_with_those_that_do(value: str) -> None:
    assert "the roles are manufacturer, installer, operator, user" in refusal(RoleFile(), value)


def test_the_roles_are_those_of_the_charge_controller_the_highest_first() -> None:
    assert tuple(reversed(Role)) == ROLES


@pytest.mark.parametrize("value", ["app:app", "package.module:app", "a:factory.app"])
def test_an_application_is_a_module_and_a_name(value: str) -> None:
    assert convert(AppName(), value) == value


@pytest.mark.parametrize("value", ["app", "app:", ":app", "a/b.py:app", "a..b:app", "1a:app", "a:b:c"])
def test_an_application_of_another_form_is_refused_with_an_example(value: str) -> None:
    assert "is not MODULE:APP, such as package.module:app" in refusal(AppName(), value)


@pytest.mark.parametrize("value", ["en", "de-CH", "zh-Hant-TW", "a" * 8 + ("-" + "b" * 8) * 6])
def test_a_language_is_a_code(value: str) -> None:
    assert convert(Language(), value) == value


@pytest.mark.parametrize("value", ["", "e n", "größe", "en_US", "a" * 8 + ("-" + "b" * 8) * 6 + "-c"])
def test_a_language_that_no_text_record_can_carry_is_refused(value: str) -> None:
    assert "is no language code of at most 63 signs" in refusal(Language(), value)


@pytest.mark.parametrize(
    ("endpoint", "host"), [("127.0.0.1:80", "127.0.0.1"), ("[::1]:80", "::1"), ("localhost:0", "localhost")]
)
def test_the_host_of_an_endpoint_has_no_brackets(endpoint: str, host: str) -> None:
    assert host_of_endpoint(endpoint) == host


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - the point
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_address_alone(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "value",
    ["https://app.example", "http://localhost:5173", "capacitor://localhost", "http://[::1]:8080", "app-x.y://a_b.c-d"],
)
def test_an_origin_is_what_browsers_send(value: str) -> None:
    assert convert(Origin(), value) == value


@pytest.mark.parametrize(
    "value", ["*", "null", "app.example", "https://app.example/", "https://App.example", "https://a b", "https://", ""]
)
def test_what_no_browser_sends_as_origin_is_refused(value: str) -> None:
    assert "such as https://app.example or http://localhost:5173" in refusal(Origin(), value)
