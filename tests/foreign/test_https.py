"""HTTPS and the manners of HTTP as curl, openssl and httpx2 see them, against the real command."""

import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.conftest import Peers
from tests.foreign.served import Served, serving
from tests.server.tls import make_pair

pytestmark = pytest.mark.foreign

TIMEOUT: Final = 60.0  # seconds until a program has failed

NOWHERE: Final = ("-q", "--http", "127.0.0.1:0", "--link", "udp:127.0.0.1:0")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def served(data: Path) -> Iterator[Served]:
    with serving("--https", "--data", str(data), *NOWHERE) as running:
        yield running


@pytest.fixture(scope="module")
def curl(peers: Peers) -> str:
    return peers.program("curl", package="curl")


def run(*command: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=TIMEOUT, check=False)


def head_of(output: str) -> tuple[str, dict[str, str]]:
    """The status line and the fields of a response that curl shows with -i or -I."""
    line, *fields = output.replace("\r", "").partition("\n\n")[0].split("\n")
    return line, {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}


# TLS


def test_the_url_is_told_and_curl_reaches_it_by_every_name_of_loopback(curl: str, served: Served, data: Path) -> None:
    assert served.http.startswith("https://127.0.0.1:")
    port = str(urlsplit(served.http).port)
    for name in ("127.0.0.1", "localhost"):
        done = run(curl, "-4sS", "--cacert", str(data / "certificate.pem"), f"https://{name}:{port}/v1/login")
        assert done.stdout.startswith('{"token":'), done.stderr


def test_curl_does_not_trust_it_unless_it_is_told(curl: str, served: Served) -> None:
    done = run(curl, "-sS", f"{served.http}/v1/login")
    assert done.returncode == 60, done.stderr


def test_openssl_verifies_certificate_name_and_protocol(peers: Peers, served: Served, data: Path) -> None:
    openssl = peers.program("openssl", package="openssl")
    target = urlsplit(served.http).netloc
    certificate = ["-CAfile", str(data / "certificate.pem"), "-verify_return_error", "-verify_ip", "127.0.0.1"]
    done = run(openssl, "s_client", "-connect", target, *certificate, "-alpn", "h2,http/1.1", text="Q\n")
    assert done.returncode == 0, done.stderr
    assert "Verify return code: 0 (ok)" in done.stdout
    assert "ALPN protocol: http/1.1" in done.stdout
    assert re.search(r"TLSv1\.3", done.stdout)


def test_openssl_gets_no_older_protocol_than_tls_1_2(peers: Peers, served: Served) -> None:
    openssl = peers.program("openssl", package="openssl")
    for version, spoken in (("-tls1_2", True), ("-tls1_1", False)):
        command = [openssl, "s_client", "-connect", urlsplit(served.http).netloc, version, "-cipher", "ALL:@SECLEVEL=0"]
        done = run(*command, text="Q\n")
        assert ("New, TLSv1.2" in done.stdout) is spoken, done.stderr


def test_httpx2_keeps_one_connection_for_many_requests(served: Served, data: Path) -> None:
    context = ssl.create_default_context(cafile=str(data / "certificate.pem"))
    with httpx2.Client(base_url=served.http, verify=context) as client:
        for _ in range(3):
            assert client.get("/v1/system_state").status_code == 401
        assert client.get("/v1/docs").status_code == 200


def test_a_certificate_of_one_s_own_is_served(tmp_path: Path, curl: str) -> None:
    pair = make_pair()
    files = tmp_path / "own.pem", tmp_path / "own.key"
    for file, octets in zip(files, pair, strict=True):
        file.write_bytes(octets)
    with serving("--dev", "--cert", str(files[0]), "--key", str(files[1]), *NOWHERE) as running:
        port = str(urlsplit(running.http).port)
        done = run(curl, "-4sS", "--cacert", str(files[0]), f"https://localhost:{port}/v1/login")
        assert done.stdout.startswith('{"token":'), done.stderr


# HTTP


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    with serving("--dev", *NOWHERE) as running:
        yield running


@pytest.mark.parametrize(
    ("arguments", "status", "cause"),
    [
        (["/v1/login", "-X", "DELETE"], "405", '{"logged_in":false,"message":"method not allowed"}'),
        (["/v1/docs", "-d", ""], "405", '{"success":false,"cause":"method not allowed"}'),
        (["/v1/nowhere"], "401", '{"success":false,"cause":"Not logged in"}'),
        (["/v1/login", "-d", "{"], "400", '{"logged_in":false,"message":"not JSON"}'),
        (["/v1/login", "-H", f"x: {'a' * 65_536}"], "431", '{"success":false,'),
        (
            [f"/v1/login?{'a' * 65_537}"],
            "414",
            '{"success":false,"cause":"path or query too long"}',
        ),
        ([f"/v1/login?{'a' * 49_153}"], "414", '{"logged_in":false,"message":"path or query too'),
        (["/v1/login", "-H", "content-length: 9999999", "-d", "x"], "413", '{"success":false'),
    ],
)
def test_what_is_refused_is_told_in_json(
    curl: str, plain: Served, arguments: list[str], status: str, cause: str
) -> None:
    done = run(curl, "-isS", plain.http + arguments[0], *arguments[1:])
    line, fields = head_of(done.stdout)
    assert line.split()[1] == status
    assert fields["content-type"] == "application/json"
    assert cause in done.stdout


def test_head_and_options_have_no_content_and_leave_the_connection_open(curl: str, plain: Served) -> None:
    url = f"{plain.http}/v1/login"
    done = run(curl, "-sSvI", url, url)
    assert head_of(done.stdout)[0] == "HTTP/1.1 200 OK"
    assert "Re-using existing" in done.stderr
    line, fields = head_of(run(curl, "-sSi", "-X", "OPTIONS", url).stdout)
    assert line == "HTTP/1.1 204 No Content"
    assert fields["allow"] == "GET, POST, HEAD, OPTIONS"
    assert "content-length" not in fields
    done = run(curl, "-sSi", "-X", "OPTIONS", "--request-target", "*", plain.http)
    assert head_of(done.stdout)[0] == "HTTP/1.1 204 No Content"


def test_a_client_that_speaks_http_2_first_or_1_0_is_answered(curl: str, plain: Served) -> None:
    assert head_of(run(curl, "-sSi", "-0", f"{plain.http}/v1/login").stdout)[0] == "HTTP/1.1 200 OK"
    assert head_of(run(curl, "-sSi", "--http2", f"{plain.http}/v1/login").stdout)[0] == "HTTP/1.1 200 OK"


def test_a_body_is_sent_once_it_is_asked_for(curl: str, plain: Served) -> None:
    command = [curl, "-sSvi", f"{plain.http}/v1/login", "-H", "expect: 100-continue", "--expect100-timeout", "30"]
    done = run(*command, "--data-binary", "@-", text='{"username":"operator"}')
    assert "HTTP/1.1 100 Continue" in done.stdout
    assert "missing parameter 'password'" in done.stdout
