"""The phone's side as a transport for httpx2, so that client code for HTTP runs over NFC unchanged.

    httpx2.Client(transport=NfcTransport("udp:127.0.0.1:54321")).get("http://charger/system_state")

What crosses, and what is refused before a single octet is written, is in `crossing`; how it fails is in `errors`;
what a trace hook of a request is told is in `tracing`; what is counted in `phone.Statistics`.
"""

import threading
import time
from pathlib import Path
from typing import Final, NamedTuple

import httpx2

from nfcbridge import __version__
from nfcbridge.client.crossing import Crossing, check_head, with_content
from nfcbridge.client.errors import (
    NfcConnectError,
    NfcConnectTimeout,
    NfcPoolTimeout,
    NfcReadError,
    NfcReadTimeout,
    NfcRefusedError,
    NfcTagError,
)
from nfcbridge.client.phone import CONNECT_TIMEOUT, READ_TIMEOUT, Phone, Statistics, Watch
from nfcbridge.client.tracing import Tracing
from nfcbridge.errors import (
    CommandError,
    ConfigError,
    LinkError,
    LinkTimeoutError,
    LocalProtocolError,
    RemoteProtocolError,
)
from nfcbridge.framing import Answer
from nfcbridge.links import ReaderEnd, open_reader
from nfcbridge.trace import Recorder, TappedReader, TraceOrigin
from nfcbridge.type4 import SW, WriteOrder

FOREVER: Final = 365 * 86_400.0  # seconds; what httpx2 calls None: no clock of the system takes an endless time
BUSY: Final = "the tag still has an answer that nobody read, or works on one: wait 10 s, or read it first"
"""What to do about 6985: in 8 s a request is given up, in 10 s an answer that nobody wants."""


class Timeouts(NamedTuple):
    """Seconds to wait for other requests, for a tag, and for the exchange after that."""

    pool: float
    connect: float
    read: float


class NfcTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Carries requests of `httpx2.Client` and `httpx2.AsyncClient` to a tag. Any thread, any task; one at a time.

    The link is opened with the first request and the tag stays activated between requests. Timeouts are those of the
    client: `pool` waits for other requests, `connect` for a tag, `read` is for the whole exchange after it. A total
    time for all three has the transport, or a request: `extensions={"total": 20.0}`.

    Args:
        link: the name of a link, or an open reader end.
        write_order: how requests are written; by default what suits the tag.
        language: language code of the Text records.
        trace: file to record the frames to.
        watch: called with every command APDU and its response.
        first_id: the messageID of the first request, for exchanges that shall be the same each time; by default random.
        total: seconds for all of a request; None: as long as the other timeouts allow.

    Attributes:
        statistics: what was counted since the transport was made.

    Raises:
        ConfigError: a total time-out that cannot be.
        NfcRefusedError, NfcPoolTimeout, NfcConnectError, NfcConnectTimeout, NfcReadError, NfcReadTimeout, NfcTagError:
            see `nfcbridge.client.errors`.
    """

    def __init__(
        self,
        link: str | ReaderEnd,
        *,
        write_order: WriteOrder | None = None,
        language: str = "en",
        trace: Path | str | None = None,
        watch: Watch | None = None,
        first_id: int | None = None,
        total: float | None = None,
    ) -> None:
        self.statistics = Statistics()
        if total is not None and not total > 0:  # also what is no number at all
            raise ConfigError(f"a total time-out is more than 0 seconds, or None, not {total}")
        self._total = total
        self._source = link
        self._write_order = write_order
        self._language = language
        self._watch = watch
        self._first_id = first_id
        self._trace = Path(trace) if trace is not None else None
        self._recorder: Recorder | None = None
        self._phone: Phone | None = None
        self._link = threading.Lock()  # held for an exchange
        self._ends = threading.Lock()  # held while phone and recorder are made or taken away

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and wait for its answer."""
        crossing = check_head(request)
        return self._exchange(request, with_content(request, crossing, request.read()))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request in a thread and wait for its answer.

        A task that is cancelled while it waits for its turn has sent nothing. One that is cancelled later ends at once,
        but what it began does not: the next request waits until that exchange has ended.
        """
        import anyio.to_thread

        crossing = check_head(request)
        crossing = with_content(request, crossing, await request.aread())
        withdrawn = threading.Event()
        try:
            # Not abandoned, a cancelled task would wait for its turn and then send what nobody wants any more.
            return await anyio.to_thread.run_sync(self._exchange, request, crossing, withdrawn, abandon_on_cancel=True)
        finally:
            withdrawn.set()

    def close(self) -> None:
        """Switch the field off and free the link, at once: an exchange of another thread is torn.

        A later request opens the link again if it was given by name, and begins the trace anew.
        """
        with self._ends:
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

    def _exchange(
        self, request: httpx2.Request, crossing: Crossing, withdrawn: threading.Event | None = None
    ) -> httpx2.Response:
        tracing = Tracing(request, None if withdrawn is None else withdrawn.is_set)
        timeouts = _timeouts(request)
        end = time.monotonic() + _total(request, self._total)

        def within(timeout: float) -> float:
            return min(timeout, max(0.0, end - time.monotonic()))

        timeout = within(timeouts.pool)
        with tracing.span("nfc.turn", timeout=timeout):
            if not self._link.acquire(timeout=timeout):
                raise NfcPoolTimeout("another request holds the link: wait longer, or close it", request=request)
        try:
            if withdrawn is not None and withdrawn.is_set():
                raise NfcRefusedError("the request was withdrawn", request=request)  # nobody hears it
            timeout = within(timeouts.connect)
            with tracing.span("nfc.connect", timeout=timeout) as ended:
                phone = self._connect(request, timeout, end)
                ended["return_value"] = phone.tag
            phone.tell = tracing.tell
            with tracing.span("nfc.exchange", method=crossing.method, path=crossing.path) as ended:
                answer = self._ask(phone, request, crossing, within(timeouts.read))
                ended["return_value"] = answer.status
        finally:
            self._link.release()
        headers = {"content-type": "application/json"} if answer.content else {}
        return httpx2.Response(answer.status, headers=headers, content=answer.content)

    def _connect(self, request: httpx2.Request, timeout: float, last_moment: float) -> Phone:
        try:
            with self._ends:
                phone = self._phone = self._phone or self._open()
            phone.last_moment = last_moment
            phone.connect(timeout)
        except LinkTimeoutError as error:
            raise NfcConnectTimeout(str(error), request=request) from error
        except LinkError as error:
            raise NfcConnectError(str(error), request=request) from error
        except RemoteProtocolError as error:
            raise NfcTagError(str(error), request=request) from error
        return phone

    def _ask(self, phone: Phone, request: httpx2.Request, crossing: Crossing, timeout: float) -> Answer:
        try:
            return phone.exchange(
                crossing.method,
                crossing.path,
                authorization=crossing.authorization,
                content=crossing.content,
                read_timeout=timeout,
            )
        except LocalProtocolError as error:
            raise NfcRefusedError(str(error), request=request) from error
        except (LinkError, RemoteProtocolError) as error:
            raise _translate(error, request) from error

    def _open(self) -> Phone:
        end = open_reader(self._source) if isinstance(self._source, str) else self._source
        if self._trace is not None:
            try:
                recorder = Recorder(
                    self._trace,
                    level=end.level.value,
                    link=end.name,
                    card={},
                    source=f"nfcbridge {__version__} reader",
                    origin=TraceOrigin(),
                )
            except ConfigError:
                end.close()
                raise
            self._recorder = recorder
            end = TappedReader(end, recorder)
        return Phone(
            end,
            order=self._write_order,
            language=self._language,
            watch=self._watch,
            statistics=self.statistics,
            first_id=self._first_id,
        )


def _translate(error: LinkError | RemoteProtocolError, request: httpx2.Request) -> httpx2.TransportError:
    """The error of httpx2 for one of ours that ended an exchange, with whether the request may have been executed."""
    translated: NfcReadTimeout | NfcReadError | NfcTagError
    if isinstance(error, LinkTimeoutError):
        translated = NfcReadTimeout(str(error), request=request)
    elif isinstance(error, LinkError):
        state = "may have been" if error.maybe_executed else "was not"
        translated = NfcReadError(f"{error}: the request {state} executed", request=request)
    else:
        remedy = f"; {BUSY}" if isinstance(error, CommandError) and error.sw == SW.NOT_NOW else ""
        translated = NfcTagError(f"{error}{remedy}", request=request)
    translated.maybe_executed = error.maybe_executed
    return translated


def _timeouts(request: httpx2.Request) -> Timeouts:
    given = request.extensions.get("timeout", {})

    def seconds(name: str, otherwise: float) -> float:
        value = given.get(name, otherwise)
        return FOREVER if value is None else min(value, FOREVER)

    return Timeouts(seconds("pool", FOREVER), seconds("connect", CONNECT_TIMEOUT), seconds("read", READ_TIMEOUT))


def _total(request: httpx2.Request, otherwise: float | None) -> float:
    total: float | None = request.extensions.get("total", otherwise)
    return FOREVER if total is None else min(total, FOREVER)
