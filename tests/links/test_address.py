"""HOST:PORT in names."""

import pytest

from nfcbridge.errors import ConfigError
from nfcbridge.links.address import parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ("here", 7)),
        (":", ("here", 7)),
        ("there", ("there", 7)),
        ("there:", ("there", 7)),
        (":1", ("here", 1)),
        ("there:65535", ("there", 65535)),
    ],
)
def test_what_is_left_out_takes_the_default(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text, host="here", port=7) == address


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "1x", "²", "1:2"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ConfigError, match="a port is a number from 1 to 65535"):
        parse_address(f"there:{port}", host="here", port=7)


def test_port_0_is_taken_where_the_system_may_choose() -> None:
    assert parse_address("there:0", host="here", port=7, lowest=0) == ("there", 0)


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_a_host_that_cannot_be_a_name_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="host"):
        parse_address(host, host="here", port=7)
