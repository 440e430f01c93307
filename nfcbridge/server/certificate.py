"""The certificate for HTTPS: one from somebody else, or one that is made here and signed by itself.

    DIRECTORY/certificate.pem     may be given to clients, which then trust this server and no other
    DIRECTORY/certificate.key     mode 0600

The one that is made here is for `localhost`, the loopback addresses and the host that is listened on. It is kept, since
a client that trusts it would have to be told of each new one, and renewed when it is about to end, when it lacks a
name, or when others may read its key.
"""

import datetime as dt
import socket
import ssl
import stat
import tempfile
from collections.abc import Collection, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nfcbridge.errors import ConfigError
from nfcbridge.whole import OWNER_ALONE, open_whole

CERTIFICATE: Final = "certificate.pem"
KEY: Final = "certificate.key"

# The longest that Apple's systems accept from a server whose certificate a user trusts.
LIFETIME: Final = dt.timedelta(days=825)
# A certificate with less time than this left is renewed at the start.
RENEWAL: Final = dt.timedelta(days=30)
# Clocks of phones are late now and then.
BACKDATED: Final = dt.timedelta(days=1)

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

# Octets of a file: a chain of a dozen certificates.
MAX_FILE: Final = 65_536


class Pair(NamedTuple):
    """A certificate, with its chain if it has one, and its key; both as PEM."""

    certificate: bytes
    key: bytes


class SelfSigned(NamedTuple):
    """A certificate that was made here.

    Attributes:
        context: for the server.
        file: what clients may trust; None: it is kept in memory.
        fingerprint: SHA-256 of the certificate, as browsers and openssl write it.
        made: it is new.
    """

    context: ssl.SSLContext
    file: Path | None
    fingerprint: str
    made: bool


def load_pair(certificate: Path, key: Path, now: dt.datetime) -> ssl.SSLContext:
    """The context for a certificate from somebody else.

    Args:
        certificate: a PEM file, with the chain after the certificate if there is one.
        key: a PEM file, without a passphrase.
        now: aware.

    Raises:
        ConfigError: a file cannot be read or is something else, they do not belong together, or it is not its time.
    """
    pair = Pair(_read(certificate), _read(key))
    try:
        first = x509.load_pem_x509_certificates(pair.certificate)[0]
    except ValueError as error:
        raise ConfigError(
            f"{certificate} has no certificate in PEM form; "
            f"openssl x509 -in {certificate} -inform DER -out FILE makes one of the binary form"
        ) from error
    try:
        private = load_pem_private_key(pair.key, None)
    except TypeError as error:
        raise ConfigError(
            f"the key in {key} has a passphrase; openssl pkey -in {key} -out FILE writes it without"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{key} has no private key in PEM form; give the file that came with the certificate"
        ) from error
    if _octets(private.public_key()) != _octets(first.public_key()):
        raise ConfigError(f"{key} is not the key of {certificate}; give two files that were made together")
    if now >= first.not_valid_after_utc:
        raise ConfigError(f"{certificate} has expired on {first.not_valid_after_utc:%Y-%m-%d}; get a new one")
    if now < first.not_valid_before_utc:
        raise ConfigError(
            f"{certificate} is not valid before {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; wait, or set the clock"
        )
    try:
        return make_context(pair)
    except ssl.SSLError as error:
        raise ConfigError(f"{certificate} cannot be used for HTTPS: {error.reason}; get another one") from error


def keep_self_signed(directory: Path | None, hosts: Collection[str], now: dt.datetime) -> SelfSigned:
    """The certificate of a directory, made or renewed if need be.

    Args:
        directory: where it is kept; None: in memory.
        hosts: names and addresses that it must be for, beside the loopback's.
        now: aware.

    Raises:
        ConfigError: it cannot be kept there.
    """
    names = list(dict.fromkeys([*LOOPBACK, *hosts]))
    kept = None if directory is None else _load_kept(directory, names, now)
    pair = kept or make_self_signed(names, now)
    if directory is not None and kept is None:
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The key first: a certificate without its key would be taken for damaged, and that is what it is.
            with open_whole(directory / KEY, mode=OWNER_ALONE, lasting=True) as to:
                to.write(pair.key)
            with open_whole(directory / CERTIFICATE, mode=0o644, lasting=True) as to:
                to.write(pair.certificate)
        except OSError as error:
            raise ConfigError(
                f"cannot keep the certificate in {directory}: {error.strerror}; choose another directory with --data"
            ) from error
    digest = x509.load_pem_x509_certificate(pair.certificate).fingerprint(hashes.SHA256())
    file = None if directory is None else directory / CERTIFICATE
    return SelfSigned(make_context(pair), file, digest.hex(":").upper(), kept is None)


def make_self_signed(names: Iterable[str], now: dt.datetime) -> Pair:
    """A new certificate.

    Args:
        names: host names and addresses.
        now: aware.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nfcbridge")])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        # It signs nothing but itself: who trusts it trusts this server, and nobody in its name.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(
        certificate.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


def make_context(pair: Pair) -> ssl.SSLContext:
    """The context of a server: TLS 1.2 and later, HTTP/1.1.

    Raises:
        ssl.SSLError: the certificate is too weak for OpenSSL.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.NamedTemporaryFile() as file:  # mode 0600; ssl takes nothing but files
        file.write(pair.key + b"\n" + pair.certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def names_of_host(host: str) -> list[str]:
    """What clients may call a host that is listened on: itself, or for all addresses the name of this machine."""
    address = host.partition("%")[0]  # an interface is not in a certificate
    try:
        return [socket.gethostname()] if ip_address(address).is_unspecified else [str(ip_address(address))]
    except ValueError:
        return [host.lower()]


def _load_kept(directory: Path, names: Iterable[str], now: dt.datetime) -> Pair | None:
    """What is kept, None if it is not there, not whole, or has to be renewed."""
    try:
        pair = Pair((directory / CERTIFICATE).read_bytes(), (directory / KEY).read_bytes())
        mode = stat.S_IMODE((directory / KEY).stat().st_mode)
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        private = load_pem_private_key(pair.key, None)
        known = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return None
    fits = _octets(private.public_key()) == _octets(certificate.public_key())
    lasts = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEWAL
    named = all(_general_name(name) in known for name in names)
    return pair if fits and lasts and named and not mode & 0o077 else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; check the path and who may read it") from error
    if len(octets) > MAX_FILE:
        raise ConfigError(f"{path} has more than {MAX_FILE} octets, which no certificate and no key has")
    return octets


def _octets(key: object) -> bytes:
    octets: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return octets


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name if name.isascii() else name.encode("idna").decode("ascii"))
