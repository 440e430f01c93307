"""Who may drive the simulation."""

from pathlib import Path

import pytest

from nfcbridge.charger.bench.access import MAX_TOKEN, MIN_TOKEN, read_token
from nfcbridge.errors import ConfigError
from tests.charger.bench.stand import HOST, JSON, Stand

TOKEN = "0123456789abcdef"
BEARER = (b"authorization", b"Bearer " + TOKEN.encode())


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("token", [None, TOKEN])
def test_this_machine_may(client: str, token: str | None) -> None:
    assert Stand(token).ask("POST", "/_sim/plug", {}, client=client).status == 200


@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "udp:127.0.0.1:54321", "", None])
def test_others_may_not(client: str | None) -> None:
    for headers in ([HOST, JSON], [HOST, JSON, BEARER], [HOST, JSON, (b"authorization", b"")]):
        assert Stand().ask("POST", "/_sim/plug", {}, client=client, headers=headers).status == 403
    assert Stand().ask("GET", "/_sim/state", client=client).status == 403


def test_others_may_with_the_token() -> None:
    stand = Stand(TOKEN)
    allowed = [(b"host", b"charger.example:8080"), JSON, BEARER]
    assert stand.ask("POST", "/_sim/plug", {}, client="192.0.2.1", headers=allowed).status == 200
    for wrong in (b"", b"Bearer ", b"Bearer " + TOKEN[:-1].encode(), b"Bearer " + TOKEN.encode() + b"\xff"):
        reply = stand.ask("GET", "/_sim/state", client="192.0.2.1", headers=[HOST, JSON, (b"authorization", wrong)])
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert stand.ask("GET", "/_sim/state", client="192.0.2.1").status == 401


@pytest.mark.parametrize("name", [b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"])
def test_a_proxy_on_this_machine_does_not_make_others_local(name: bytes) -> None:
    assert Stand().ask("GET", "/_sim/state", headers=[HOST, (name, b"x")]).status == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"127.0.0.1", 200),
        (b"127.0.0.1:8080", 200),
        (b"[::1]:8080", 200),
        (b"[::1]", 200),
        (b"::1", 200),
        (b"localhost:8080", 200),
        (b"LOCALHOST", 200),
        (b"evil.example", 403),
        (b"evil.example:8080", 403),
        (b"localhost.evil.example", 403),
        (b"", 403),
    ],
)
def test_a_name_that_somebody_else_may_point_here_is_no_host(host: bytes, status: int) -> None:
    assert Stand().ask("GET", "/_sim/state", headers=[(b"host", host)]).status == status


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ((b"origin", b"http://127.0.0.1:8080"), 200),
        ((b"origin", b"https://127.0.0.1:8080"), 200),
        ((b"origin", b"http://127.0.0.1:8081"), 403),
        ((b"origin", b"http://evil.example"), 403),
        ((b"origin", b"null"), 403),
        ((b"sec-fetch-site", b"same-origin"), 200),
        ((b"sec-fetch-site", b"none"), 200),
        ((b"sec-fetch-site", b"same-site"), 403),
        ((b"sec-fetch-site", b"cross-site"), 403),
    ],
)
def test_pages_of_other_origins_may_not(header: tuple[bytes, bytes], status: int) -> None:
    assert Stand().ask("POST", "/_sim/plug", {}, headers=[HOST, JSON, header]).status == status
    assert Stand().ask("GET", "/_sim/state", headers=[HOST, header]).status == status


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (b"application/json", 200),
        (b"Application/JSON; charset=utf-8", 200),
        (b"text/plain", 415),
        (b"application/x-www-form-urlencoded", 415),
        (b"application/jsonp", 415),
        (b"", 415),
    ],
)
def test_what_a_form_of_a_page_could_send_is_refused(kind: bytes, status: int) -> None:
    assert Stand().ask("POST", "/_sim/plug", {}, headers=[HOST, (b"content-type", kind)]).status == status
    assert Stand().ask("POST", "/_sim/plug", {}, headers=[HOST]).status == 415


@pytest.mark.parametrize("length", [MIN_TOKEN, MAX_TOKEN])
def test_a_token_is_read_without_the_white_space_around_it(tmp_path: Path, length: int) -> None:
    file = tmp_path / "token"
    file.write_text(f"{'x' * length}\n")
    assert read_token(file) == "x" * length


@pytest.mark.parametrize("text", ["", "\n", "x" * (MIN_TOKEN - 1), "x" * (MAX_TOKEN + 1), "x" * 20 + " y", "ä" * 20])
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="16 to 256"):
        read_token(file)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_token(tmp_path / "token")
