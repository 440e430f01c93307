"""The phone's side as a transport for httpx2, so that client code for HTTP runs over NFC unchanged.

    httpx2.Client(transport=NfcTransport("udp:127.0.0.1:54321")).get("http://charger/system_state")

What crosses is method, path with query, the Authorization header and a JSON document, and back the status and a JSON
document. The host of the URL is not sent. What a client library adds of itself (Accept, User-Agent, ...) stays behind;
anything else that a program asked for is refused before a single octet is written.
"""

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec

from nfcbridge.client.errors import (
    NfcConnectError,
    NfcConnectTimeout,
    NfcReadError,
    NfcReadTimeout,
    NfcRefusedError,
    NfcTagError,
)
from nfcbridge.client.phone import CONNECT_TIMEOUT, READ_TIMEOUT, Phone, Statistics, Watch
from nfcbridge.errors import (
    LinkError,
    LinkTimeoutError,
    LocalProtocolError,
    RemoteProtocolError,
)
from nfcbridge.framing import Answer
from nfcbridge.links import ReaderEnd, open_reader
from nfcbridge.trace import Recorder, TappedReader
from nfcbridge.type4 import WriteOrder

# Said by client libraries of themselves, without a meaning that could be lost on the way.
STAYS_BEHIND: Final = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"}
)
JSON_TYPE: Final = re.compile(r"\s*application/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE)
METHOD: Final = re.compile(r"[A-Z]+")


class NfcTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Carries requests of `httpx2.Client` and `httpx2.AsyncClient` to a tag. Any thread, any task; one at a time.

    The link is opened with the first request and the tag stays activated between requests. Timeouts are those of the
    client: `connect` waits for a tag, `read` is for the whole exchange after it.

    Args:
        link: the name of a link, or an open reader end.
        write_order: how requests are written; by default what suits the tag.
        language: language code of the Text records.
        trace: file to record the frames to.
        watch: called with every command APDU and its response.

    Raises:
        NfcRefusedError, NfcConnectError, NfcConnectTimeout, NfcReadError, NfcReadTimeout, NfcTagError: see
            `nfcbridge.client.errors`.
    """

    def __init__(
        self,
        link: str | ReaderEnd,
        *,
        write_order: WriteOrder | None = None,
        language: str = "en",
        trace: Path | str | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._source = link
        self._settings: dict[str, Any] = {"order": write_order, "language": language, "watch": watch}
        self._trace = Path(trace) if trace is not None else None
        self._recorder: Recorder | None = None
        self._phone: Phone | None = None
        self._lock = threading.Lock()

    @property
    def statistics(self) -> Statistics:
        """What the phone of this transport counted."""
        return self._phone.statistics if self._phone else Statistics()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and wait for its answer."""
        method, path, authorization = self._crossing(request)
        return self._exchange(request, method, path, authorization, self._content(request, request.read()))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and wait for its answer, in a thread: a cancelled task waits until its exchange has ended."""
        import anyio.to_thread

        method, path, authorization = self._crossing(request)
        content = self._content(request, await request.aread())
        return await anyio.to_thread.run_sync(self._exchange, request, method, path, authorization, content)

    def close(self) -> None:
        """Switch the field off and free the link; a later request opens it again if it was given by name."""
        with self._lock:
            phone, self._phone = self._phone, None
            recorder, self._recorder = self._recorder, None
            if phone is not None:
                phone.close()
            if recorder is not None:
                recorder.close()

    async def aclose(self) -> None:
        """As `close`."""
        import anyio.to_thread

        await anyio.to_thread.run_sync(self.close)

    def _crossing(self, request: httpx2.Request) -> tuple[str, str, str | None]:
        """Method, path and authorization of a request without content that could not cross."""
        if not METHOD.fullmatch(request.method):
            raise NfcRefusedError(f"the method {request.method!r} is not in capital letters", request=request)
        authorization = None
        for name, value in request.headers.multi_items():
            if name == "authorization":
                if authorization is not None:
                    raise NfcRefusedError("two Authorization headers do not cross NFC: send one", request=request)
                authorization = value
            elif name == "content-type":
                if not JSON_TYPE.match(value):
                    raise NfcRefusedError(f"content of type {value} does not cross NFC: send JSON", request=request)
            elif name == "cookie":
                raise NfcRefusedError("cookies do not cross NFC: use the Authorization header", request=request)
            elif name not in STAYS_BEHIND:
                raise NfcRefusedError(
                    f"the header {name} does not cross NFC, only Authorization does: leave it out", request=request
                )
        return request.method, request.url.raw_path.decode("ascii"), authorization

    def _content(self, request: httpx2.Request, content: bytes) -> bytes:
        if content:
            try:
                content.decode()
                content = msgspec.json.format(content, indent=-1)
            except (ValueError, RecursionError) as error:
                raise NfcRefusedError("content that is not JSON does not cross NFC", request=request) from error
        return content

    def _exchange(
        self, request: httpx2.Request, method: str, path: str, authorization: str | None, content: bytes
    ) -> httpx2.Response:
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        connect_timeout = timeouts.get("connect", CONNECT_TIMEOUT)
        read_timeout = timeouts.get("read", READ_TIMEOUT)
        with self._alone(request, timeouts.get("pool")):
            phone = self._connect(request, FOREVER if connect_timeout is None else connect_timeout)
            try:
                answer = phone.exchange(
                    method,
                    path,
                    authorization=authorization,
                    content=content,
                    read_timeout=FOREVER if read_timeout is None else read_timeout,
                )
            except LocalProtocolError as error:
                raise NfcRefusedError(str(error), request=request) from error
            except LinkTimeoutError as error:
                raise NfcReadTimeout(str(error), request=request) from error
            except LinkError as error:
                raise NfcReadError(f"{error}: the request may have been executed", request=request) from error
            except RemoteProtocolError as error:
                raise NfcTagError(str(error), request=request) from error
        return _response(answer)

    @contextlib.contextmanager
    def _alone(self, request: httpx2.Request, timeout: float | None) -> Iterator[None]:
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise httpx2.PoolTimeout("another request holds the link", request=request)
        try:
            yield
        finally:
            self._lock.release()

    def _connect(self, request: httpx2.Request, timeout: float) -> Phone:
        try:
            if self._phone is None:
                self._phone = Phone(self._open(), **self._settings)
            self._phone.connect(timeout)
        except LinkTimeoutError as error:
            raise NfcConnectTimeout(str(error), request=request) from error
        except LinkError as error:
            raise NfcConnectError(str(error), request=request) from error
        except RemoteProtocolError as error:
            raise NfcTagError(str(error), request=request) from error
        return self._phone

    def _open(self) -> ReaderEnd:
        end = open_reader(self._source) if isinstance(self._source, str) else self._source
        if self._trace is not None:
            recorder = self._recorder = Recorder(self._trace, level=end.level.value, link=end.name, card={})
            end = TappedReader(end, recorder)
        return end


FOREVER: Final = threading.TIMEOUT_MAX  # seconds; what httpx2 calls None


def _response(answer: Answer) -> httpx2.Response:
    headers = {"content-type": "application/json"} if answer.content else {}
    return httpx2.Response(answer.status, headers=headers, content=answer.content)
