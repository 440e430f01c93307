"""HTTPS for `serve`: which certificate, and what people have to know of it."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from nfcbridge.cli.errors import print_notice
from nfcbridge.cli.parameters import host_of_endpoint
from nfcbridge.cli.serve_settings import ServeSettings
from nfcbridge.server.certificate import keep_self_signed, load_pair, names_of_host


def https_context(settings: ServeSettings, data: Path | None) -> tuple[ssl.SSLContext, Path | None]:
    """Return what HTTPS is served with, and the certificate that clients have to trust, if it is one of ours in a file.

    Args:
        settings: with HTTPS.
        data: where data live; None: in memory.

    Raises:
        ConfigError: a certificate cannot be used or kept.
    """
    now = datetime.now(UTC)
    if settings.cert is not None and settings.key is not None:
        return load_pair(settings.cert, settings.key, now), None
    own = keep_self_signed(data, names_of_host(host_of_endpoint(settings.http or "")), now)
    made = "was made just now" if own.made else "was made here before"
    where = "is not kept" if own.file is None else f"is in {own.file}, for clients that shall trust it"
    print_notice(f"the certificate for HTTPS {made} and {where}; SHA-256 fingerprint {own.fingerprint}")
    return own.context, own.file
