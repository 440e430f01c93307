"""What the transport raises: exceptions of httpx2 that are ours too, so that code for either catches them.

NfcPoolTimeout       httpx2.PoolTimeout           LinkTimeoutError      another request had the link for too long
NfcConnectTimeout    httpx2.ConnectTimeout        LinkTimeoutError      no tag came in time
NfcConnectError      httpx2.ConnectError          LinkError             the link cannot be opened or failed
NfcReadTimeout       httpx2.ReadTimeout           LinkTimeoutError      no answer in time
NfcReadError         httpx2.ReadError             LinkError             torn in the middle
NfcTagError          httpx2.RemoteProtocolError   RemoteProtocolError   the tag refused, or its answer is broken
NfcRefusedError      httpx2.LocalProtocolError    LocalProtocolError    the request cannot cross NFC; nothing was sent

`maybe_executed` of each tells whether the request may have been executed. Where it is False, it surely was not, and may
be sent again.
"""

import httpx2

from nfcbridge import errors


class NfcPoolTimeout(httpx2.PoolTimeout, errors.LinkTimeoutError):
    """Another request had the link for too long. Nothing was sent."""


class NfcConnectTimeout(httpx2.ConnectTimeout, errors.LinkTimeoutError):
    """No tag came in time."""


class NfcConnectError(httpx2.ConnectError, errors.LinkError):
    """The link cannot be opened, or failed before the request was begun."""


class NfcReadTimeout(httpx2.ReadTimeout, errors.LinkTimeoutError):
    """No answer came in time."""


class NfcReadError(httpx2.ReadError, errors.LinkError):
    """The exchange was torn for good."""


class NfcTagError(httpx2.RemoteProtocolError, errors.RemoteProtocolError):
    """The tag refused a command, or what it answered is broken."""


class NfcRefusedError(httpx2.LocalProtocolError, errors.LocalProtocolError):
    """The request has something that does not cross NFC. Nothing was sent."""
