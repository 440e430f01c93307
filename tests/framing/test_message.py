import json
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nfcbridge.errors import LocalProtocolError, RequestError, ResponseError
from nfcbridge.framing import Answer, Request, format_answer, format_request, parse_answer, parse_request

HEADER = '{"path":"/settings","method":"POST","messageID":7}'
LONE_SURROGATE = "\ud800"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda values: st.lists(values) | st.dictionaries(TEXTS, values),
)
MESSAGE_IDS = (st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS).map(
    lambda value: json.dumps(value).encode()
)
REQUESTS = st.builds(
    Request,
    path=TEXTS,
    method=st.text(string.ascii_uppercase, min_size=1),
    authorization=st.none() | TEXTS,
    message_id=MESSAGE_IDS | st.just(b"null"),
    content=st.just(b"")
    | JSON.map(lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()),
)
PIECES = st.lists(
    st.sampled_from([*'{}[],:"\\ \t\n-.e0', "true", "null", "NaN", '"path"', '"method"', '"messageID"', '"statusCode"'])
    | st.sampled_from(["GET", "200", HEADER, '{"messageID":7,"statusCode":200}', "\ufeff", LONE_SURROGATE, "\\ud800"])
).map("".join)


def refusal(text: str) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse_request(text)
    assert caught.value.status == 400
    return caught.value


def message_id_of(text: str) -> bytes:
    try:
        return parse_request(text).message_id
    except RequestError as error:
        return error.message_id


# Requests that are read


def test_the_documented_request_header_is_read() -> None:
    text = """{
      "path": "/settings",
      "method" : "POST",
      "authorization" : "cdc630cd-5e5f-4587-8a1a-a2e83ae990b5",
      "messageID" : "msg-id-increment"
    }"""
    assert parse_request(text) == Request(
        path="/settings",
        method="POST",
        authorization="cdc630cd-5e5f-4587-8a1a-a2e83ae990b5",
        message_id=b'"msg-id-increment"',
        content=b"",
    )


def test_authorization_and_message_id_may_be_missing() -> None:
    assert parse_request('{"method":"GET","path":"/login"}') == Request("/login", "GET", None, b"null", b"")


def test_authorization_and_message_id_that_are_null_are_missing() -> None:
    text = '{"path":"/login","method":"GET","authorization":null,"messageID":null}'
    assert parse_request(text) == Request("/login", "GET", None, b"null", b"")


def test_unknown_keys_of_the_header_are_ignored() -> None:
    text = '{"path":"/a","x":[1,{"y":null}],"method":"GET","messageID":7,"X":1,"x":2}'
    assert parse_request(text) == Request("/a", "GET", None, b"7", b"")


@pytest.mark.parametrize("content", ['{"a":1}', "[]", "5", '"text"', "null", "false", "-0", "1e999", "[[],{}]"])
def test_content_is_any_json_document(content: str) -> None:
    assert parse_request(f"{HEADER},{content}").content == content.encode()


def test_content_stays_as_it_was_written() -> None:
    assert (
        parse_request(HEADER + ' ,\n { "a" : 1.0E+2,"a":"\\u00e9 é" }\t').content
        == '{ "a" : 1.0E+2,"a":"\\u00e9 é" }'.encode()
    )


def test_content_may_have_the_keys_of_a_header_twice() -> None:
    content = '{"path":1,"path":2,"messageID":{"messageID":3},"method":"\\\\"}'
    assert parse_request(f"{HEADER},{content}") == Request("/settings", "POST", None, b"7", content.encode())


def test_a_value_of_the_header_may_read_like_a_key() -> None:
    text = '{"path":"path","method":"GET","authorization":"messageID","x":{"path":1},"messageID":"path"}'
    assert parse_request(text) == Request("path", "GET", "messageID", b'"path"', b"")


def test_a_key_of_the_header_may_be_escaped() -> None:
    assert parse_request('{"p\\u0061th":"/a","method":"GET"}').path == "/a"


@pytest.mark.parametrize("space", ["", " ", "\t", "\n", "\r", " \r\n\t "])
def test_white_space_may_stand_everywhere_between(space: str) -> None:
    tokens = ["", "{", '"path"', ":", '"/a"', ",", '"method"', ":", '"GET"', "}", ",", "[", "1", "]", ""]
    assert parse_request(space.join(tokens)).path == "/a"


@pytest.mark.parametrize(
    "message_id",
    [
        '"7"',
        '""',
        '"\\u0041\\n"',
        '"é"',
        "0",
        "-0",
        "7.0",
        "1E+2",
        "1e999",
        "0.30000000000000000000000000000000000000000000000001",
        "123456789012345678901234567890",
        "9" * 5000,  # int() takes 4,300 digits
    ],
)
def test_the_message_id_is_kept_as_it_was_written(message_id: str) -> None:
    text = f'{{"path":"/a","method":"GET","messageID":{message_id}}}'
    request = parse_request(text)
    assert request.message_id == message_id.encode()
    assert format_answer(Answer(200, b"", request.message_id)) == f'{{"messageID":{message_id},"statusCode":200}}'
    # and where the message is broken
    assert refusal(f"{text},{{").message_id == message_id.encode()


# Requests that are refused: the traps


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_message_is_400(text: str) -> None:
    assert refusal(text).message_id == b"null"


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000],
    ids=["open", "arrays", "objects"],
)
def test_content_nested_too_deeply_is_400_with_the_message_id(content: str) -> None:
    assert refusal(f"{HEADER},{content}").message_id == b"7"


def test_a_header_nested_too_deeply_is_400() -> None:
    for nested in ("[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000):
        text = f'{{"path":"/a","method":"GET","messageID":7,"x":{nested}}}'
        assert refusal(text).message_id == b"null"


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(",", id="comma without content"),
        pytest.param(", ", id="comma and white space"),
        pytest.param("{}", id="no comma"),
        pytest.param(" 5", id="white space for a comma"),
        pytest.param(";{}", id="another sign for a comma"),
        pytest.param(",{", id="content not closed"),
        pytest.param(',{"a":1', id="content cut off"),
        pytest.param(',{"a":1}}', id="closed once too often"),
        pytest.param(",{'a':1}", id="single quotes"),
        pytest.param(",[1,]", id="comma before the end"),
        pytest.param(",01", id="leading zero"),
        pytest.param(",tru", id="half a word"),
        pytest.param(',"a\n"', id="line feed in a string"),
        pytest.param(',{"a":1},', id="comma after the content"),
        pytest.param(',{"a":1},{"b":2}', id="second content"),
        pytest.param(",1],[2", id="brackets of the decoder closed"),
        pytest.param("],[" + HEADER, id="brackets of the decoder closed after the header"),
        pytest.param(",NaN", id="NaN"),
        pytest.param(",[Infinity]", id="Infinity"),
        pytest.param(",\ufeff{}", id="byte order mark"),
        pytest.param(f',"{LONE_SURROGATE}"', id="lone surrogate"),
        pytest.param(',"\\ud800"', id="lone surrogate, escaped"),
        pytest.param(',"\\udc00\\ud800"', id="surrogates in the wrong order"),
        pytest.param("\x00", id="NUL"),
        pytest.param(",// none", id="comment"),
    ],
)
def test_broken_content_does_not_hide_the_message_id_of_a_good_header(rest: str) -> None:
    assert refusal(HEADER + rest).message_id == b"7"


def test_white_space_before_a_good_header_does_not_hide_its_message_id() -> None:
    assert refusal(f" \t\r\n{HEADER},").message_id == b"7"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"path":"/a","method":"GET","messageID":7', id="not closed"),
        pytest.param('{"path":"/a","method":"GET","messageID":7,}', id="comma before the end"),
        pytest.param('{"path":"/a" "method":"GET","messageID":7}', id="no comma between members"),
        pytest.param("{'path':'/a','method':'GET','messageID':7}", id="single quotes"),
        pytest.param('{"path":"/a","method":"GET","messageID":7,"x":NaN}', id="NaN"),
        pytest.param('{"path":"/a","method":"GET","messageID":7,"x":-Infinity}', id="Infinity"),
        pytest.param(f'{{"path":"/a","method":"GET","messageID":7,"x":"{LONE_SURROGATE}"}}', id="lone surrogate"),
        pytest.param('{"path":"/a","method":"GET","messageID":7,"x":"\\ud800"}', id="lone surrogate, escaped"),
        pytest.param(f"\ufeff{HEADER}", id="byte order mark"),
        pytest.param(f"[{HEADER}]", id="brackets"),
        pytest.param(f",{HEADER}", id="comma first"),
        pytest.param(f"\x0b{HEADER}", id="white space that is none in JSON"),
    ],
)
def test_a_header_that_is_not_well_formed_is_400_without_its_message_id(text: str) -> None:
    assert refusal(text).message_id == b"null"


@pytest.mark.parametrize("text", ["5", '"text"', "null", "true", "[]", '["/a","GET",null,7]', "{}", '{"a":1}', "NaN"])
def test_a_message_without_a_header_is_400(text: str) -> None:
    assert refusal(text).message_id == b"null"


@pytest.mark.parametrize("content", ['{"a":1}', "[1]", "5", "null"])
def test_content_before_the_header_is_400(content: str) -> None:
    assert refusal(f"{content},{HEADER}").message_id == b"null"


@pytest.mark.parametrize(
    "header",
    [
        '{"method":"GET","messageID":7}',
        '{"path":"/a","messageID":7}',
        '{"path":null,"method":"GET","messageID":7}',
        '{"path":5,"method":"GET","messageID":7}',
        '{"path":"/a","method":["GET"],"messageID":7}',
        '{"path":"/a","method":"GET","authorization":5,"messageID":7}',
        '{"Path":"/a","method":"GET","messageID":7}',
    ],
)
def test_a_key_that_is_missing_or_of_another_type_is_400_with_the_message_id(header: str) -> None:
    assert refusal(header).message_id == b"7"


@pytest.mark.parametrize("method", ["", "get", "Get", "GET ", "M-SEARCH", "GET1", "ÄNDERE", "G\\u0000T", "GET\\r\\n"])
def test_a_method_of_other_than_capital_letters_is_400_with_the_message_id(method: str) -> None:
    assert refusal(f'{{"path":"/a","method":"{method}","messageID":7}}').message_id == b"7"


@pytest.mark.parametrize("message_id", ["true", "false", "[7]", '{"a":7}', '"\\ud800"'])
def test_a_message_id_that_is_neither_string_nor_number_is_400_without_it(message_id: str) -> None:
    assert refusal(f'{{"path":"/a","method":"GET","messageID":{message_id}}}').message_id == b"null"


@pytest.mark.parametrize("doubled", ['"path":"/b"', '"method":"GET"', '"authorization":"b"', '"p\\u0061th":"/b"'])
def test_a_key_that_is_there_twice_is_400_with_the_message_id(doubled: str) -> None:
    header = f'{{"path":"/a","method":"GET","authorization":"a",{doubled},"messageID":7}}'
    error = refusal(header)
    assert error.message_id == b"7"
    assert "twice" in str(error)
    assert refusal(f"{header},{{}}").message_id == b"7"


@pytest.mark.parametrize("again", ['"messageID":7', '"messageID":8', '"message\\u0049D":8', '"messageID" : null'])
def test_a_message_id_that_is_there_twice_is_400_without_it(again: str) -> None:
    assert refusal(f'{{"path":"/a","method":"GET","messageID":7,{again}}}').message_id == b"null"


def test_what_is_wrong_is_said_without_the_words_of_the_message() -> None:
    error = refusal('{"path":"/a","method":5,"authorization":"secret"}')
    assert str(error) == "Expected `str`, got `int` - at `$[0].method`"


# Answers


def test_the_documented_answer_header_is_read() -> None:
    text = '{\n  "messageID": "msg-id-increment",\n  "statusCode": 401\n}'
    assert parse_answer(text) == Answer(401, b"", b'"msg-id-increment"')


def test_an_answer_with_content_is_read() -> None:
    assert parse_answer('{"messageID":7,"statusCode":200},{"a":1}') == Answer(200, b'{"a":1}', b"7")


def test_an_answer_may_lack_the_message_id() -> None:
    assert parse_answer('{"statusCode":400}') == Answer(400, b"", b"null")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "200",
        HEADER,
        '{"messageID":7}',
        '{"messageID":7,"statusCode":"200"}',
        '{"messageID":7,"statusCode":true}',
        '{"messageID":7,"statusCode":200.5}',
        '{"messageID":7,"statusCode":99}',
        '{"messageID":7,"statusCode":1000}',
        '{"messageID":7,"statusCode":-200}',
        '{"messageID":[7],"statusCode":200}',
        '{"messageID":7,"statusCode":200,"statusCode":404}',
        '{"messageID":7,"messageID":8,"statusCode":200}',
        '{"messageID":7,"statusCode":200}{}',
        '{"messageID":7,"statusCode":200},',
        '{"messageID":7,"statusCode":200},{"a":1',
        '{"messageID":7,"statusCode":200},1,2',
        '{"messageID":7,"statusCode":200},' + "[" * 100_000,
        LONE_SURROGATE,
    ],
)
def test_what_is_no_answer_is_a_response_error(text: str) -> None:
    with pytest.raises(ResponseError):
        parse_answer(text)


# Messages that are written


def test_a_request_is_written_without_a_needless_octet() -> None:
    request = Request("/a/é", "POST", "token", b"7", b'{"a": [1, "b c"] }\n')
    assert format_request(request) == (
        '{"path":"/a/é","method":"POST","authorization":"token","messageID":7},{"a":[1,"b c"]}'
    )


def test_what_a_request_does_not_have_is_not_written() -> None:
    assert format_request(Request("/login", "GET")) == '{"path":"/login","method":"GET"}'


def test_strings_of_a_request_are_escaped() -> None:
    assert format_request(Request('/"\\\n', "GET", '","messageID":8,"x":"', b"7")) == (
        '{"path":"/\\"\\\\\\n","method":"GET","authorization":"\\",\\"messageID\\":8,\\"x\\":\\"","messageID":7}'
    )


def test_an_answer_is_written_without_a_needless_octet() -> None:
    assert format_answer(Answer(200, b' { "a" : [ 1.0E+2 , "\\u00e9 x" ] } ', b"7")) == (
        '{"messageID":7,"statusCode":200},{"a":[1.0E+2,"\\u00e9 x"]}'
    )


def test_an_answer_without_content_is_its_header() -> None:
    assert format_answer(Answer(404)) == '{"messageID":null,"statusCode":404}'


@pytest.mark.parametrize(
    "content",
    [b" ", b"{", b"[1,]", b"NaN", b"1 2", b"1],[2", b'"\\ud800"', b'"\xff"', b"\xef\xbb\xbf{}", b"[" * 100_000],
)
def test_content_that_is_not_json_is_not_written(content: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        format_answer(Answer(200, content))
    with pytest.raises(LocalProtocolError):
        format_request(Request("/a", "POST", content=content))


def test_a_lone_surrogate_is_not_written() -> None:
    for request in (Request(LONE_SURROGATE, "GET"), Request("/a", "GET", LONE_SURROGATE)):
        with pytest.raises(LocalProtocolError):
            format_request(request)


# Values that no message can have cannot be built


@pytest.mark.parametrize("method", ["", "get", "GET /", "GÉT"])
def test_a_request_with_an_illegal_method_cannot_be_built(method: str) -> None:
    with pytest.raises(ValueError, match="capital"):
        Request("/a", method)


@pytest.mark.parametrize(
    "message_id", [b"", b" 7", b"7 ", b"[7]", b"true", b"07", b'"', b"7,8", b"nul", b"[" * 100_000]
)
def test_a_message_with_an_illegal_message_id_cannot_be_built(message_id: bytes) -> None:
    with pytest.raises(ValueError, match="messageID"):
        Request("/a", "GET", message_id=message_id)
    with pytest.raises(ValueError, match="messageID"):
        Answer(200, message_id=message_id)


@pytest.mark.parametrize("status", [99, 1000, -200])
def test_an_answer_with_a_status_of_other_than_three_digits_cannot_be_built(status: int) -> None:
    with pytest.raises(ValueError, match="three digits"):
        Answer(status)


@pytest.mark.parametrize("status", [100, 999])
def test_an_answer_with_a_status_of_three_digits_can_be_built(status: int) -> None:
    assert parse_answer(format_answer(Answer(status))).status == status


# Properties


@given(REQUESTS)
def test_a_request_comes_back_as_it_was(request: Request) -> None:
    assert parse_request(format_request(request)) == request


@given(st.integers(100, 999), JSON, MESSAGE_IDS)
def test_an_answer_comes_back_with_equal_values(status: int, value: object, message_id: bytes) -> None:
    answer = parse_answer(format_answer(Answer(status, json.dumps(value).encode(), message_id)))
    assert (answer.status, answer.message_id) == (status, message_id)
    assert json.loads(answer.content) == value


@given(REQUESTS)
def test_python_reads_a_request_that_is_written(request: Request) -> None:
    header, *contents = json.loads(f"[{format_request(request)}]")
    assert (header["path"], header["method"], header.get("authorization")) == (
        request.path,
        request.method,
        request.authorization,
    )
    assert header.get("messageID") == json.loads(request.message_id)
    assert contents == ([json.loads(request.content)] if request.content else [])


@given(st.text() | PIECES)
@example('{"messageID":' + "9" * 5000 + "}")
def test_any_text_is_a_message_or_the_error_of_its_reader(text: str) -> None:
    assert format_answer(Answer(400, b"", message_id_of(text)))  # what was found can always be echoed
    try:
        parse_answer(text)
    except ResponseError:
        return


@given(REQUESTS, st.data())
def test_a_good_header_has_its_message_id_whatever_follows(request: Request, data: st.DataObject) -> None:
    text = format_request(Request(request.path, request.method, request.authorization, request.message_id))
    assert message_id_of(text + data.draw(st.text() | PIECES)) == request.message_id
