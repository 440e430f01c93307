"""Certificates: made, kept, renewed, and refused in words."""

import datetime as dt
import os
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from nfcbridge.errors import ConfigError
from nfcbridge.server import certificate
from nfcbridge.server.certificate import (
    BACKDATED,
    CERTIFICATE,
    KEY,
    LIFETIME,
    LOOPBACK,
    MAX_FILE,
    RENEWAL,
    keep_self_signed,
    load_pair,
    make_context,
    make_self_signed,
    names_of_host,
)
from tests.conftest import Peers
from tests.server.tls import DAY, NOW, Pair, make_pair


def parse(octets: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(octets)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """A handshake in memory; the client's end of it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(3):
        for end in (theirs, ours):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return theirs


# Made here


def test_a_client_that_trusts_it_reaches_every_name_of_loopback_and_the_host() -> None:
    pair = make_self_signed([*LOOPBACK, "charger.local", "192.0.2.1"], NOW)
    context = make_context(certificate.Pair(*pair))
    client = ssl.create_default_context(cadata=pair.certificate.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    client.set_alpn_protocols(["h2", "http/1.1"])
    for name in (*LOOPBACK, "charger.local", "192.0.2.1"):
        session = shake_hands(context, client, name)
        assert session.selected_alpn_protocol() == "http/1.1"
    for name in ("charger.example", "192.0.2.2"):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(context, client, name)


def test_a_client_that_does_not_trust_it_refuses() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(make_context(make_self_signed(LOOPBACK, NOW)), ssl.create_default_context(), "localhost")


def test_tls_before_1_2_is_not_spoken() -> None:
    context = make_context(make_self_signed(LOOPBACK, NOW))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_it_is_for_servers_signs_nothing_else_and_lasts_as_long_as_phones_accept() -> None:
    made = parse(make_self_signed(LOOPBACK, NOW).certificate)
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)
    assert made.not_valid_after_utc - made.not_valid_before_utc == LIFETIME == dt.timedelta(days=825)
    assert made.not_valid_before_utc == NOW.replace(microsecond=0) - BACKDATED


def test_no_two_are_alike() -> None:
    first, second = (make_self_signed(LOOPBACK, NOW) for _ in range(2))
    assert first.key != second.key
    assert parse(first.certificate).serial_number != parse(second.certificate).serial_number


def test_a_name_beyond_ascii_is_written_as_the_dns_has_it() -> None:
    made = parse(make_self_signed(["bücher.example"], NOW).certificate)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["xn--bcher-kva.example"]


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("0:0::1", ["::1"]),
        ("fe80::1%eth0", ["fe80::1"]),
        ("Charger.Local", ["charger.local"]),
        ("0.0.0.0", [socket.gethostname()]),  # noqa: S104 - the name, nothing is bound
        ("::", [socket.gethostname()]),
    ],
)
def test_the_names_of_a_host(host: str, names: list[str]) -> None:
    assert names_of_host(host) == names


# Kept


def test_it_is_kept_with_a_key_for_nobody_else(tmp_path: Path) -> None:
    directory = tmp_path / "not" / "there"
    first = keep_self_signed(directory, ["192.0.2.1"], NOW)
    assert (first.made, first.file) == (True, directory / CERTIFICATE)
    assert (directory / KEY).stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in directory.iterdir()) == [KEY, CERTIFICATE]
    again = keep_self_signed(directory, ["192.0.2.1"], NOW + DAY)
    assert (again.made, again.fingerprint) == (False, first.fingerprint)


def test_in_memory_it_is_new_each_time_and_in_no_file() -> None:
    first, second = (keep_self_signed(None, [], NOW) for _ in range(2))
    assert first.file is None
    assert first.made
    assert first.fingerprint != second.fingerprint


def test_its_fingerprint_is_the_one_that_openssl_shows(tmp_path: Path, peers: Peers) -> None:
    kept = keep_self_signed(tmp_path, [], NOW)
    command = [peers.program("openssl", package="openssl"), "x509", "-noout", "-fingerprint", "-sha256", "-in"]
    shown = subprocess.run([*command, str(kept.file)], check=True, capture_output=True, text=True)
    assert shown.stdout.strip().rpartition("=")[2] == kept.fingerprint


def test_it_is_renewed_before_it_ends(tmp_path: Path) -> None:
    first = keep_self_signed(tmp_path, [], NOW)
    ends = parse((tmp_path / CERTIFICATE).read_bytes()).not_valid_after_utc
    assert not keep_self_signed(tmp_path, [], ends - RENEWAL - dt.timedelta(seconds=1)).made
    renewed = keep_self_signed(tmp_path, [], ends - RENEWAL)
    assert renewed.made
    assert renewed.fingerprint != first.fingerprint
    assert not keep_self_signed(tmp_path, [], ends).made


def test_it_is_renewed_for_a_clock_that_was_set_back(tmp_path: Path) -> None:
    keep_self_signed(tmp_path, [], NOW)
    assert not keep_self_signed(tmp_path, [], NOW - BACKDATED + dt.timedelta(seconds=1)).made
    assert keep_self_signed(tmp_path, [], NOW - BACKDATED - dt.timedelta(seconds=1)).made


def test_it_is_renewed_for_a_name_that_it_lacks_and_not_for_one_that_it_has_beyond(tmp_path: Path) -> None:
    keep_self_signed(tmp_path, ["192.0.2.1"], NOW)
    assert not keep_self_signed(tmp_path, ["localhost"], NOW).made
    assert keep_self_signed(tmp_path, ["192.0.2.2"], NOW).made


def encrypt_key(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    protected = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (directory / KEY).write_bytes(protected)


def drop_names(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    bare = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    (directory / CERTIFICATE).write_bytes(bare.public_bytes(Encoding.PEM))


@pytest.mark.parametrize(
    "harm",
    [
        lambda directory: (directory / CERTIFICATE).unlink(),
        lambda directory: (directory / KEY).unlink(),
        lambda directory: (directory / CERTIFICATE).write_bytes(b"\0"),
        lambda directory: (directory / KEY).write_bytes(b""),
        lambda directory: (directory / KEY).write_bytes(make_pair().key),
        lambda directory: (directory / KEY).chmod(0o640),
        encrypt_key,
        drop_names,
    ],
)
def test_what_is_not_whole_or_not_secret_is_made_anew(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    keep_self_signed(tmp_path, [], NOW)
    harm(tmp_path)
    assert keep_self_signed(tmp_path, [], NOW).made
    assert not keep_self_signed(tmp_path, [], NOW).made


def test_a_directory_that_cannot_have_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=r"cannot keep the certificate in .*/file/x: Not a directory; choose another"):
        keep_self_signed(file / "x", [], NOW)


def test_a_disk_that_is_full_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        keep_self_signed(tmp_path, [], NOW)
    assert list(tmp_path.iterdir()) == []


# One's own


def write(directory: Path, pair: Pair) -> tuple[Path, Path]:
    files = directory / "own.pem", directory / "own.key"
    for file, octets in zip(files, pair, strict=True):
        file.write_bytes(octets)
    return files


def test_a_certificate_and_its_key_are_used_with_the_chain(tmp_path: Path) -> None:
    pair, other = make_pair(), make_pair(common_name="issuer")
    files = write(tmp_path, Pair(pair.certificate + other.certificate, pair.key))
    client = ssl.create_default_context(cadata=pair.certificate.decode())
    session = shake_hands(load_pair(*files, NOW), client, "localhost")
    assert session.getpeercert(binary_form=True) == parse(pair.certificate).public_bytes(Encoding.DER)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    certificate_file, key_file = write(tmp_path, make_pair())
    for files, name in (((tmp_path / "no.pem", key_file), "no.pem"), ((certificate_file, tmp_path), tmp_path.name)):
        with pytest.raises(ConfigError, match=rf"cannot read .*{name}: .*; check the path and who may read it"):
            load_pair(*files, NOW)


def test_a_file_of_the_largest_size_is_read_and_one_octet_more_is_refused(tmp_path: Path) -> None:
    pair = make_pair()
    padding = b"#" * (MAX_FILE - len(pair.key) - 1) + b"\n"
    load_pair(*write(tmp_path, Pair(pair.certificate, padding + pair.key)), NOW)
    with pytest.raises(ConfigError, match=f"own.key has more than {MAX_FILE} octets"):
        load_pair(*write(tmp_path, Pair(pair.certificate, b"#" + padding + pair.key)), NOW)


def test_a_certificate_in_another_form_is_told_with_what_to_do(tmp_path: Path) -> None:
    pair = make_pair()
    der = parse(pair.certificate).public_bytes(Encoding.DER)
    for octets in (der, b"", pair.key):
        with pytest.raises(ConfigError, match=r"own.pem has no certificate in PEM form; openssl x509 -in .*own.pem"):
            load_pair(*write(tmp_path, Pair(octets, pair.key)), NOW)


def test_a_key_in_another_form_is_told(tmp_path: Path) -> None:
    pair = make_pair()
    for octets in (b"", pair.certificate, b"\0"):
        with pytest.raises(ConfigError, match=r"own.key has no private key in PEM form"):
            load_pair(*write(tmp_path, Pair(pair.certificate, octets)), NOW)


def test_a_key_with_a_passphrase_is_told_with_what_to_do(tmp_path: Path) -> None:
    files = write(tmp_path, make_pair())
    encrypt_key(tmp_path)
    with pytest.raises(ConfigError, match=r"has a passphrase; openssl pkey -in .* -out FILE writes it without"):
        load_pair(files[0], tmp_path / KEY, NOW)


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"own.key is not the key of .*own.pem; give two files that were made together"
    ):
        load_pair(*write(tmp_path, Pair(make_pair().certificate, make_pair().key)), NOW)


def test_a_certificate_is_used_in_its_time_alone(tmp_path: Path) -> None:
    begins, ends = NOW.replace(microsecond=0), NOW.replace(microsecond=0) + DAY
    files = write(tmp_path, make_pair(begins=begins, ends=ends))
    second = dt.timedelta(seconds=1)
    load_pair(*files, begins)
    load_pair(*files, ends - second)
    with pytest.raises(ConfigError, match=rf"has expired on {ends:%Y-%m-%d}; get a new one"):
        load_pair(*files, ends)
    with pytest.raises(ConfigError, match=rf"is not valid before {begins:%Y-%m-%d %H:%M} UTC; wait, or set the clock"):
        load_pair(*files, begins - second)


def test_a_certificate_that_is_too_weak_for_openssl_is_told(tmp_path: Path) -> None:
    weak = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - the point of it
    name = x509.Name([])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(weak.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .sign(weak, hashes.SHA256())
    )
    key = weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ConfigError, match=r"cannot be used for HTTPS: EE_KEY_TOO_SMALL; get another one"):
        load_pair(*write(tmp_path, Pair(signed.public_bytes(Encoding.PEM), key)), NOW)
