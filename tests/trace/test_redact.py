"""Redacted traces: no secret is left in them, and all else is as it was."""

import re
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.text import encode_text
from nfcbridge.trace import Dir, Entry, Header
from nfcbridge.trace.redact import Redaction
from nfcbridge.trace.secrets import SecretKind
from nfcbridge.trace.seen import BlockSeen, ExchangeSeen, MessageSeen, Seen
from nfcbridge.trace.view_source import MAX_AGE
from tests.trace.anything import ENTRIES
from tests.trace.lines import decode, entries, only

ID = "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5"
TAG = "04a2b3c4d5e6f7"
KEY = bytes(32)


def redacted(trace: Sequence[Entry], header: Header | None = None, *, names: bool = False) -> list[Entry]:
    redaction = Redaction(header or Header(), key=KEY, names=names)
    redaction.look(trace)
    return list(redaction.replace(trace))


def texts(trace: Sequence[Entry], level: str = "blocks") -> list[str]:
    return [message.text or "" for message in only(MessageSeen, decode(trace, level))]


def written(text: str, chunk: int = 40) -> list[str]:
    """A message written in order B, in chunks, each a block."""
    message = encode_text(text)
    data = [(0, b"\0\0")]
    data += [(2 + at, message[at : at + chunk]) for at in range(0, len(message), chunk)]
    data += [(0, len(message).to_bytes(2))]
    lines = []
    for number, (offset, octets) in enumerate(data):
        lines += [f"> 0{2 + number % 2} 00D6{offset:04X}{len(octets):02X}{octets.hex()}", f"< 0{2 + number % 2} 9000"]
    return lines


def read(text: str, chunk: int = 40) -> list[str]:
    message = encode_text(text)
    file = len(message).to_bytes(2) + message
    lines = []
    for number, at in enumerate(range(0, len(file), chunk)):
        octets = file[at : at + chunk]
        lines += [f"> 0{2 + number % 2} 00B0{at:04X}{len(octets):02X}", f"< 0{2 + number % 2} {octets.hex()}9000"]
    return lines


REQUEST = f'{{"path":"/system_state","method":"GET","authorization":"{ID}","messageID":3}}'
LOGIN = f'{{"messageID":2,"statusCode":200}},{{"logged_in":true,"session":{{"session_id":"{ID}"}}}}'


def shape(seen: Sequence[Seen]) -> list[object]:
    """All of the blocks but what they carry."""
    return [
        (block.entry, block.t, block.kind, block.number, len(block.inf), block.repeated)
        for block in only(BlockSeen, seen)
    ]


def test_a_secret_is_the_same_everywhere_and_nowhere_what_it_was() -> None:
    trace = entries(*read(LOGIN), *written(REQUEST), *written(REQUEST, 255))
    result = redacted(trace)
    login, *requests = texts(result)
    (replacement,) = re.findall(r'"session_id":"([^"]*)"', login)
    assert replacement != ID
    assert requests == [REQUEST.replace(ID, replacement)] * 2
    assert login == LOGIN.replace(ID, replacement)
    assert shape(decode(result)) == shape(decode(trace))


def test_a_chained_block_is_replaced_across_the_chain_and_where_it_was_sent_again() -> None:
    message = encode_text(REQUEST)
    apdu = bytes([0, 0xD6, 0, 0, len(message) + 2]) + len(message).to_bytes(2) + message
    parts = [apdu[at : at + 13] for at in range(0, len(apdu), 13)]
    lines = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        block = f"> {'0' if last else '1'}{2 + number % 2} {part.hex()}"
        lines += [block, f"> B{2 + number % 2}", f"< A{3 - number % 2}", block]
        lines += [f"< 0{2 + number % 2} 9000"] if last else [f"< A{2 + number % 2}"]
    trace = entries(*lines)
    result = redacted(trace)
    assert len(texts(result)) == 1
    assert ID not in texts(result)[0]
    assert shape(decode(result)) == shape(decode(trace))
    same: dict[bytes, bytes] = {}
    for before, after in zip(trace, result, strict=True):
        assert same.setdefault(before.octets, after.octets) == after.octets


def test_a_refused_write_is_redacted_like_any_other() -> None:
    lines = [line.replace("9000", "6985") for line in written(REQUEST)] + written(REQUEST)
    carried = b"".join(entry.octets[6:] for entry in redacted(entries(*lines)) if entry.dir is Dir.READER)
    assert ID.encode() not in carried
    assert b"-4587-" not in carried


@pytest.mark.parametrize("length", range(70, 90))
def test_a_half_written_message_has_no_half_secret(length: int) -> None:
    half = f"> 02 00D60000{length:02X}0000{encode_text(REQUEST)[: length - 2].hex()}"
    result = redacted(entries(half, "< 02 9000"))
    begin = ID.encode()[: max(0, length - 2 - encode_text(REQUEST).index(ID.encode()))]
    assert len(begin) < 4 or begin not in result[0].octets
    known = redacted(entries(*read(LOGIN), half, "< 02 9000"))
    replacement = re.findall(r'"session_id":"([^"]*)"', texts(known)[0])[0].encode()
    assert replacement[: len(begin)] in known[-2].octets


def test_the_end_of_a_known_secret_is_replaced_where_only_the_end_is() -> None:
    message = encode_text(REQUEST)
    at = message.index(ID.encode()) + 10
    rest = message[at:]
    lines = [*read(LOGIN), f"> 03 00B0{at + 2:04X}{len(rest):02X}", f"< 03 {rest.hex()}9000", "-"]
    tail = redacted(entries(*lines))[-2].octets
    assert ID[10:].encode() not in tail
    assert rest[-16:] in tail


def test_half_a_command_has_no_secret() -> None:
    message = encode_text(REQUEST)
    first = f"> 12 00D60000{len(message) + 2:02X}0000{message[:50].hex()}"
    second = f"> 13 {message[50:90].hex()}"
    result = redacted(entries(*read(LOGIN), first, "< A2", second, "< A3", "-"))
    joined = b"".join(entry.octets[1:] for entry in result[-5:] if entry.dir is Dir.READER)
    assert b"authorization" in joined
    assert ID[:16].encode() not in joined


def test_a_response_without_its_command_has_no_secret() -> None:
    trace = entries(f"< 12 {encode_text(LOGIN)[:80].hex()}", "> A3", f"< 03 {encode_text(LOGIN)[80:].hex()}9000", "-")
    redaction = Redaction(Header(), key=KEY)
    redaction.look(trace)
    joined = b"".join(entry.octets[1:] for entry in redaction.replace(trace) if entry.dir is Dir.CARD)
    assert b"session_id" in joined
    assert ID.encode() not in joined
    assert redaction.unknown == [1]


def test_what_is_no_block_is_searched_too() -> None:
    result = redacted(entries(f"< 00{ID.encode().hex()}", f"> FF{b'x'.hex()}"))
    assert ID.encode() not in result[0].octets
    assert result[1].octets == b"\xffx"


def test_a_known_secret_is_replaced_wherever_it_occurs() -> None:
    pairing = f'{{"messageID":4,"statusCode":200}},{{"id":"{TAG}","tagType":"RFID"}}'
    lines = [
        *read(pairing),
        f"> FF{TAG.upper().encode().hex()}",
        f"> FF{TAG}",
        f"> FF{TAG.encode('utf-16-le').hex()}",
        f"> FF{TAG}",
    ]
    for entry in redacted(entries(*lines))[-4:]:
        assert len(entry.octets) in {29, 15, 8}
        for form in (TAG.encode(), TAG.upper().encode(), bytes.fromhex(TAG), TAG.encode("utf-16-le")):
            assert form not in entry.octets


def test_two_spellings_of_a_tag_id_have_one_replacement() -> None:
    request = f'{{"path":"/whitelist?ids={TAG},{TAG.upper()},010203","method":"DELETE","messageID":1}}'
    (text,) = texts(redacted(entries(*written(request))))
    one, other, short = re.findall('ids=([^"]*)', text)[0].split(",")
    assert one == other.lower() != TAG
    assert short != "010203"


def test_parts_of_a_file_that_are_not_side_by_side_are_searched_one_by_one() -> None:
    part = f'"authorization":"{ID}"'.encode()
    lines = [
        f"> 02 00B00000{len(part):02X}",
        f"< 02 {part.hex()}9000",
        f"> 03 00B00200{len(part):02X}",
        f"< 03 {part.hex()}9000",
    ]
    result = redacted(entries(*lines))
    assert result[1].octets[1:] == result[3].octets[1:]
    assert ID.encode() not in result[1].octets


def test_a_word_is_replaced_only_where_a_name_says_that_it_is_a_secret() -> None:
    request = (
        '{"path":"/settings","method":"POST","messageID":1},{"params":[{"key":"Password_wlan","value":"settings"}]}'
    )
    (text,) = texts(redacted(entries(*written(request))))
    assert text.startswith('{"path":"/settings",')
    assert '"value":"settings"' not in text


def test_messages_in_utf_16_are_redacted() -> None:
    payload = b"\x82en" + REQUEST.encode("utf-16-be")
    message = b"\xc1\x01" + len(payload).to_bytes(4) + b"T" + payload
    apdu = bytes([0, 0xD6, 0, 0, 0]) + (len(message) + 2).to_bytes(2) + len(message).to_bytes(2) + message
    trace = entries(f"> 02 {apdu.hex()}", "< 02 9000")
    assert texts(trace) == [REQUEST]
    (text,) = texts(redacted(trace))
    assert ID not in text
    assert len(text) == len(REQUEST)


def test_a_trace_of_apdus_is_redacted_like_one_of_blocks() -> None:
    trace = entries(*[f"{line[0]} {line[5:]}" for line in written(REQUEST)])
    result = redacted(trace, Header(level="apdus"))
    (text,) = texts(result, "apdus")
    assert (ID in text, len(text)) == (False, len(REQUEST))


def test_octets_that_are_no_text_are_replaced_behind_a_name() -> None:
    # Half of a surrogate pair as an escape, and an octet that is no UTF-8.
    request = REQUEST.replace(ID, r"\ud800abcdef12")
    (text,) = texts(redacted(entries(*written(request))))
    assert "abcdef12" not in text
    broken = f"> FF{b'authorization'.hex()}"
    lines = [f"> FF{bytes([34]).hex()}{b'authorization'.hex()}223a22{b'abc'.hex()}FF{b'def1'.hex()}22", broken]
    assert b"abc\xffdef1" not in redacted(entries(*lines))[0].octets


def test_what_other_applications_and_commands_say_is_not_understood() -> None:
    def unknown(*lines: str) -> list[int]:
        redaction = Redaction(Header(level="apdus"), key=KEY)
        redaction.look(entries(*lines))
        return redaction.unknown

    assert unknown("> 00A4040007A0000000031010", "< 9000", "> 00B2010C00", "< 70009000") == [3]
    assert unknown("> 00B1000005540300000000", "< 53021234 9000", "> 00CA0000", "< 6D00") == [1]
    assert unknown("> 00D600000400024865", "< 9000") == [1]
    assert unknown("> 00A4000C02E104", "< 9000", "< 9000") == [3]


def test_names_are_replaced_if_they_are_asked_for() -> None:
    answer = '{"messageID":5,"statusCode":200},{"transactions":[{"userName":"Jenny","tagId":"ab12"}]}'
    assert "Jenny" in texts(redacted(entries(*read(answer))))[0]
    assert "Jenny" not in texts(redacted(entries(*read(answer)), names=True))[0]
    assert "ab12" not in texts(redacted(entries(*read(answer))))[0]


def test_the_first_line_has_no_seed_and_no_uid_and_no_tag() -> None:
    scenario = f'[[vehicles]]\nid = "{TAG}"\n'
    header = Header(
        seed=77,
        link="memory:x",
        card={"uid": "08a1b2c3", "mle": 251},
        app={"kind": "k", "scenario": {"text": scenario}, "token": "t", "passwords": ["operator"]},
    )
    redaction = Redaction(header, key=KEY)
    trace = entries("> 9370 08A1B2C3 D8", f"> FF{TAG.encode().hex()}")
    redaction.look(trace)
    result = redaction.header
    assert (result.seed, result.link, result.app["token"], result.app["passwords"]) == (
        None,
        "memory:x",
        None,
        ["operator"],
    )
    assert result.card["mle"] == 251
    assert re.fullmatch("08[0-9a-f]{6}", result.card["uid"])
    assert result.card["uid"] != "08a1b2c3"
    assert TAG not in result.app["scenario"]["text"]
    first, second = redaction.replace(trace)
    assert first.octets[2:6].hex() == result.card["uid"]
    assert second.octets[1:].decode() in result.app["scenario"]["text"]
    assert redaction.counts == {SecretKind.UID: 1, SecretKind.TAG: 1}


def test_another_uid_is_replaced_as_a_whole() -> None:
    redaction = Redaction(Header(card={"uid": "04a1b2c3d4e5f6"}), key=KEY)
    redaction.look([])
    assert redaction.header.card["uid"][:2] != "04" or redaction.header.card["uid"] != "04a1b2c3d4e5f6"
    odd = Redaction(Header(card={"uid": "unknown"}), key=KEY)
    odd.look([])
    assert odd.header.card["uid"] != ""


def test_the_same_key_gives_the_same_in_two_traces() -> None:
    one, two = (texts(redacted(entries(*lines)))[0] for lines in (written(REQUEST), [*read(LOGIN), *written(REQUEST)]))
    (first,) = re.findall(r'"authorization":"([^"]*)"', one)
    assert f'"session_id":"{first}"' in two


def test_octets_wait_no_longer_than_the_bound() -> None:
    redaction = Redaction(Header(), key=KEY)
    lines = entries(*written(REQUEST)[:-2])
    checks = [Entry(1.0, Dir.READER, b"\xb2", number=len(lines) + 1 + number) for number in range(MAX_AGE + 10)]
    trace = [*lines, *checks]
    redaction.look(trace)
    came = redaction.replace(_counted(trace, counter := [0]))
    next(came)
    assert MAX_AGE < counter[0] <= MAX_AGE + len(lines) + 2
    assert len(list(came)) == len(trace) - 1


def _counted(trace: Sequence[Entry], counter: list[int]) -> Iterator[Entry]:
    for entry in trace:
        counter[0] += 1
        yield entry


def test_half_a_command_does_not_wait_for_ever() -> None:
    half = entries(f"> 12 00D6000040{ID.encode().hex()}")
    rest = [Entry(1.0, Dir.READER, b"\xb2", number=2 + number) for number in range(MAX_AGE + 10)]
    assert ID.encode() not in redacted([*half, *rest])[0].octets


IDS = st.uuids(version=4).map(str)
TAGS = st.text("0123456789abcdef", min_size=14, max_size=20)
PASSWORDS = st.text("abcdefghXYZ0123456789!$", min_size=10, max_size=20).filter(lambda text: not text.isalpha())


@given(session=IDS, tag=TAGS, password=PASSWORDS, seed=st.integers(0, 1 << 32))
def test_nothing_secret_is_left_however_it_is_cut(session: str, tag: str, password: str, seed: int) -> None:
    random = Random(seed)
    says = [
        f'{{"messageID":2,"statusCode":200}},{{"session":{{"session_id":"{session}"}}}}',
        f'{{"path":"/whitelist?type=local&ids={tag}","method":"DELETE","authorization":"{session}","messageID":3}}',
        f'{{"path":"/settings","method":"POST","messageID":4}},{{"params":[{{"key":"Password_wlan","value":"{password}"}}]}}',
        f'{{"messageID":5,"statusCode":200}},{{"id":"{tag}","tagType":"RFID"}}',
    ]
    lines: list[str] = []
    for said in says:
        move = read if "statusCode" in said else written
        made = move(said, random.randrange(5, 60))
        for line in made:
            lines.append(line)
            if random.random() < 0.1:
                lines.append(line)  # sent again
        if random.random() < 0.3:
            lines += ["-", "+", *made[: random.randrange(len(made))]]
    trace = entries(*lines)
    result = redacted(trace)
    carried = {
        sender: b"".join(
            block.inf[5:] if sender else block.inf[:-2]
            for block in only(BlockSeen, decode(result))
            if block.from_reader is sender and not block.repeated
        )
        for sender in (True, False)
    }
    for secret in (session, tag, password):
        assert all(secret.encode() not in octets for octets in carried.values())
        assert all(secret.encode() not in entry.octets for entry in result)
        assert all(secret not in text for text in texts(result))
    assert shape(decode(result)) == shape(decode(trace))
    before, after = (only(MessageSeen, decode(each)) for each in (trace, result))
    assert [len(message.octets) for message in before] == [len(message.octets) for message in after]
    assert [bool(message.problem) for message in before] == [bool(message.problem) for message in after]
    assert len(only(ExchangeSeen, decode(trace))) == len(only(ExchangeSeen, decode(result)))


@given(trace=ENTRIES, level=st.sampled_from(["blocks", "apdus"]))
def test_entries_keep_their_lengths_and_order_whatever_they_are(trace: list[Entry], level: str) -> None:
    numbered = [Entry(entry.t, entry.dir, entry.octets, entry.on, number) for number, entry in enumerate(trace, 1)]
    result = redacted(numbered, Header(level=level))
    assert [(entry.number, entry.dir, len(entry.octets)) for entry in result] == [
        (entry.number, entry.dir, len(entry.octets)) for entry in numbered
    ]
