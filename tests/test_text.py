import subprocess
import sys

import ndef
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nfcbridge.errors import LocalProtocolError, RecordError
from nfcbridge.text import MAX_MESSAGE, MAX_PAYLOAD, _unusual_payload, _usual_payload, decode_text, encode_text

LANGUAGES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=63)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def long_record(payload: bytes) -> bytes:
    return octets("C1 01") + len(payload).to_bytes(4) + b"T" + payload


def test_a_short_text_is_one_short_record() -> None:
    assert encode_text("hello") == octets("D1 01 08 54  02 656E 68656C6C6F")


def test_a_text_leaves_as_utf_8() -> None:
    assert encode_text("€", "de") == octets("D1 01 06 54  02 6465 E282AC")


def test_no_text_at_all_is_a_record_with_a_language_only() -> None:
    assert encode_text("") == octets("D1 01 03 54  02 656E")


@pytest.mark.parametrize(("length", "header"), [(252, "D1 01 FF 54"), (253, "C1 01 00000100 54")])
def test_a_payload_of_more_than_255_octets_makes_a_long_record(length: int, header: str) -> None:
    message = encode_text("x" * length)
    assert message == octets(header) + octets("02 656E") + b"x" * length
    assert decode_text(message) == "x" * length


@pytest.mark.parametrize(
    "message",
    [
        "D1 01 08 54  02 656E 68656C6C6F",
        "C1 01 00000008 54  02 656E 68656C6C6F",  # a long record although a short one would do
        "D9 01 08 02 54  6964  02 656E 68656C6C6F",  # with an ID
        "D1 01 0B 54  05 64652D4154 68656C6C6F",  # language de-AT
        "D1 01 08 54  42 656E 68656C6C6F",  # the reserved bit b7 is not looked at
        "D1 01 0D 54  82 656E 00680065006C006C006F",  # UTF-16 without a mark is big-endian
        "D1 01 0F 54  82 656E FEFF 00680065006C006C006F",  # as Java writes it
        "D1 01 0F 54  82 656E FFFE 680065006C006C006F00",  # as ndeflib writes it here
    ],
)
def test_every_form_of_a_text_record_is_read(message: str) -> None:
    assert decode_text(octets(message)) == "hello"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("", id="no octets"),
        pytest.param("D0 00 00", id="the empty message"),
        pytest.param("D1 01 05 55  01 612E6465", id="a URI record"),
        pytest.param("D1 02 08 5464  02 656E 68656C6C6F", id="another type that begins with T"),
        pytest.param("91 01 04 54 02 656E 61  51 01 04 54 02 656E 62", id="two Text records"),
        pytest.param("D1 01 08 54  02 656E 68656C6C6F 00", id="an octet after the record"),
        pytest.param("D1 01 04 54 02 656E 61  D1 01 04 54 02 656E 62", id="a record after the last one"),
        pytest.param("D1 01 08 54  02 656E 68656C6C", id="an octet is missing"),
        pytest.param("D1 01 08", id="the type is missing"),
        pytest.param("D1 01", id="the length is missing"),
        pytest.param("C1 01 000000", id="a quarter of the length is missing"),
        pytest.param("51 01 08 54  02 656E 68656C6C6F", id="MB is not set"),
        pytest.param("91 01 08 54  02 656E 68656C6C6F", id="ME is not set"),
        pytest.param("F1 01 08 54  02 656E 68656C6C6F", id="a chunk"),
        pytest.param("D1 01 00 54", id="no payload"),
        pytest.param("D1 01 05 54  00 68656C6C", id="no language"),
        pytest.param("D1 01 03 54  03 656E", id="the language is longer than the payload"),
        pytest.param("D1 01 04 54  02 656E FF", id="no UTF-8"),
        pytest.param("D1 01 06 54  02 656E EDA080", id="a surrogate in UTF-8"),
        pytest.param("D1 01 04 54  82 656E 00", id="half a character of UTF-16"),
        pytest.param("D1 01 05 54  82 656E D800", id="a surrogate alone in UTF-16"),
    ],
)
def test_what_is_not_exactly_one_text_record_is_refused(message: str) -> None:
    with pytest.raises(RecordError):
        decode_text(octets(message))


def test_of_the_256_first_octets_only_that_of_a_single_text_record_is_accepted() -> None:
    rest = octets("01 08 54  02 656E 68656C6C6F")
    accepted = []
    for first in range(256):
        try:
            accepted.append((first, decode_text(bytes([first]) + rest)))
        except RecordError:
            continue
    assert accepted == [(0xD1, "hello")]


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("7C 01 01 00 88 00 0A", UnicodeDecodeError),
        ("5A 08 00 00 00 00 48 65 3F 6C 6C 6F", ValueError),
        ("D1 01 08 54 05 7A 70 D1 01 6C 6C 6F", ValueError),
    ],
)
def test_a_fault_that_escapes_from_ndeflib_is_our_error(message: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):  # when this fails ndeflib was mended, and the case can go
        list(ndef.message_decoder(octets(message)))
    with pytest.raises(RecordError):
        decode_text(octets(message))


def test_an_exception_of_ndeflib_that_is_not_its_own_error_is_our_error() -> None:
    message = octets("D1 01 03 88  02 656E")  # the type is not ASCII
    with pytest.raises(UnicodeDecodeError):
        list(ndef.message_decoder(message))
    with pytest.raises(RecordError) as caught:
        decode_text(message)
    assert isinstance(caught.value.__cause__, UnicodeDecodeError)


def test_octets_after_the_record_are_refused_although_ndeflib_ignores_them() -> None:
    message = octets("D1 01 08 54  02 656E 68656C6C6F  D0")
    assert len(list(ndef.message_decoder(message))) == 1
    with pytest.raises(RecordError):
        decode_text(message)


def test_an_absolute_uri_with_the_name_of_the_text_record_is_refused_although_ndeflib_takes_it() -> None:
    message = octets("D3 0D 08") + b"urn:nfc:wkt:T" + octets("02 656E 68656C6C6F")
    (record,) = ndef.message_decoder(message)
    assert isinstance(record, ndef.TextRecord)
    with pytest.raises(RecordError):
        decode_text(message)


@pytest.mark.parametrize("message", ["D1 01 09 54 02 656E 68656C6C6F", "D9 01 03 05 54 02", "D1 05 00 54"])
def test_a_record_that_is_cut_off_is_refused_also_when_python_leaves_asserts_out(message: str) -> None:
    program = f"""
import ndef
from nfcbridge.errors import RecordError
from nfcbridge.text import decode_text
octets = bytes.fromhex({message!r})
list(ndef.message_decoder(octets, known_types={{}}))  # ndeflib checks with assert: now it sees nothing
try:
    decode_text(octets)
except RecordError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-O", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("refused\n", "")


def test_the_longest_message_is_read_and_one_octet_more_is_not() -> None:
    text = b"x" * (MAX_PAYLOAD - 3)
    message = long_record(octets("02 656E") + text)
    assert len(message) == MAX_MESSAGE == 0xFFFE
    assert decode_text(message) == text.decode()
    with pytest.raises(RecordError, match="65535 octets"):
        decode_text(long_record(octets("02 656E") + text + b"x"))


def test_the_longest_text_is_written_and_one_octet_more_is_not() -> None:
    assert len(encode_text("x" * (MAX_PAYLOAD - 3))) == MAX_MESSAGE
    with pytest.raises(LocalProtocolError, match="65528 octets"):
        encode_text("x" * (MAX_PAYLOAD - 2))


def test_the_text_of_the_largest_file_of_mapping_2_is_32755_octets() -> None:
    assert len(encode_text("x" * 32_755)) == 0x7FFF - 2


@pytest.mark.parametrize("language", ["x", "x" * 63])
def test_a_language_code_of_1_to_63_characters_is_written(language: str) -> None:
    assert encode_text("a", language)[4:] == bytes([len(language)]) + language.encode() + b"a"


@pytest.mark.parametrize("language", ["", "x" * 64, "ü"])
def test_another_language_code_is_refused(language: str) -> None:
    with pytest.raises(LocalProtocolError, match="language"):
        encode_text("a", language)


def test_a_lone_surrogate_cannot_be_written() -> None:
    with pytest.raises(LocalProtocolError, match="surrogate"):
        encode_text("\ud800")


@given(TEXTS, LANGUAGES)
@example("\ufeff{}", "en")
def test_a_text_comes_back_as_it_was(text: str, language: str) -> None:
    assert decode_text(encode_text(text, language)) == text


@given(TEXTS, LANGUAGES)
def test_ndeflib_reads_what_is_written(text: str, language: str) -> None:
    (record,) = ndef.message_decoder(encode_text(text, language))
    assert (record.text, record.language, record.encoding) == (text, language, "UTF-8")


@given(TEXTS)
def test_utf_16_of_either_order_is_read(text: str) -> None:
    for payload in (b"\xfe\xff" + text.encode("utf-16-be"), b"\xff\xfe" + text.encode("utf-16-le")):
        assert decode_text(long_record(octets("82 656E") + payload)) == text


@given(st.binary())
def test_random_octets_are_a_text_or_a_record_error(message: bytes) -> None:
    try:
        decode_text(message)
    except RecordError:
        return


@given(TEXTS, st.integers(min_value=0), st.integers(0, 255), st.booleans())
def test_a_damaged_record_is_a_text_or_a_record_error(text: str, place: int, octet: int, cut: bool) -> None:
    message = bytearray(encode_text(text))
    place %= len(message)
    message[place] = octet
    try:
        decode_text(bytes(message[: place + 1] if cut else message))
    except RecordError:
        return


@given(payload=st.binary(max_size=600), form=st.sampled_from([0xD1, 0xC1]))
def test_what_is_read_without_ndeflib_is_what_ndeflib_reads(payload: bytes, form: int) -> None:
    length = len(payload).to_bytes(1 if form & 0x10 and len(payload) < 256 else 4, "big")
    message = bytes([form if len(length) == 1 else 0xC1, 1]) + length + b"T" + payload
    usual = _usual_payload(message)
    assert usual == payload == _unusual_payload(message)


@given(message=st.binary(min_size=1, max_size=12).map(lambda rest: bytes([0xD1 ^ (rest[0] & 0x18)]) + rest))
def test_no_octets_are_read_that_ndeflib_would_not_read_as_a_text(message: bytes) -> None:
    usual = _usual_payload(message)
    if usual is not None:
        assert usual == _unusual_payload(message)


@pytest.mark.parametrize("size", [0, 252, 253, 254, 70_000 // 2])
def test_what_is_written_has_the_octets_that_ndeflib_writes(size: int) -> None:
    record = ndef.Record("urn:nfc:wkt:T", "", b"\x02en" + b"a" * size)
    assert encode_text("a" * size) == b"".join(ndef.message_encoder([record]))
