from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger.datafile import MAX_FILE, DataFile, FieldError, Step, read_data_file
from nfcbridge.errors import ConfigError


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    colour: Colour | None = None
    parts: list[int] = []

    def __post_init__(self) -> None:
        if self.name == "nobody":
            raise FieldError("name", "somebody")


def fault_of(action: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        action()
    return str(caught.value)


@pytest.mark.parametrize(
    ("octets", "fault"),
    [
        (b"a = 1\nb = \n", "f.toml, line 2: "),
        (b"a = 1\n\nb : 2\n", "f.toml, line 3: "),
        (b'a = 1\nb = "never', "f.toml, line 2: "),
        (b"a = 1\nb = [1,\n2,\n", "f.toml, line 4: "),
        (b"a = 1\nb = 2\na = 3\n", "f.toml, line 3: Cannot overwrite a value; each name stands once"),
        (b"[a]\n[b]\n[a]\n", "f.toml, line 3: Cannot declare ('a',) twice; each name stands once"),
        (b"a = 2026-13-41\n", "f.toml, line 1: "),
        (b"a = 1\nb = " + b"9" * 5000 + b"\n", "f.toml, line "),
        (b"a = 1\nb = '\xff'\n", "f.toml, line 2: not UTF-8"),
        (b"a = 1\nb =\n" + b"[" * 5000, "f.toml, line 2: "),
        (b"a = 1\nb = " + b"[" * 5000 + b"]" * 5000, "f.toml, line 2: nested too deep"),
        ((b"a = " + b"[" * 5000 + b"]" * 5000 + b"\n") * 2, "f.toml, line 1: nested too deep"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(octets: bytes, fault: str) -> None:
    assert fault_of(lambda: DataFile("f.toml", octets)).startswith(fault)


def test_a_file_may_have_so_many_octets_and_no_more() -> None:
    line = b"#" + b"." * 62 + b"\n"
    full = line * (MAX_FILE // len(line))
    assert DataFile("f.toml", full).data == {}
    assert fault_of(lambda: DataFile("f.toml", full + b"\n")) == "f.toml, line 4097: at most 262144 octets are read"


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    file = DataFile("f.toml", b"\xef\xbb\xbf[a]\r\nb = 1\r\nc = 2\r\n")
    assert file.data == {"a": {"b": 1, "c": 2}}
    assert str(file.fault(("a", "c"), "no")) == "f.toml, line 3: a.c: no"


def test_no_more_of_a_file_is_read_than_may_be_in_it(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_bytes(b"#" * (MAX_FILE + 100))
    assert fault_of(lambda: read_data_file(path)) == f"{path}, line 1: at most 262144 octets are read"


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    assert fault_of(lambda: read_data_file(path)).startswith(f"{path}: No such file or directory; ")


TRICKY = '''\
first = "a#b[" # a comment with ] and "
[table]
text = """ one ["
[not.a.table]
key = 1 \\""" two""\"""
other = \'\'\'
[[neither]]'\'\'\'\'
list = [ # [
    1, # ,
    [2,
     3], {x = 4, y = ","},

    5,
]
same = [6, 7]
dotted . "quoted key" . 'more.so' = 8

["table" . sub]
deep = 9
[[array]]
n = 1
[array.inner]
m = 1
[[array]]
n = 2
[array.inner]
m = 2
[[array.many]]
[[array.many]]
k = 3
[later.below]
[later]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("first",), 1),
        (("table",), 2),
        (("table", "text"), 3),
        (("table", "other"), 6),
        (("table", "list"), 8),
        (("table", "list", 0), 9),
        (("table", "list", 1), 10),
        (("table", "list", 1, 1), 10),  # what stands deeper counts as the element of the outermost array
        (("table", "list", 2), 11),
        (("table", "list", 2, "y"), 11),
        (("table", "list", 3), 13),
        (("table", "same", 1), 15),
        (("table", "dotted"), 16),
        (("table", "dotted", "quoted key", "more.so"), 16),
        (("table", "sub", "deep"), 19),
        (("array",), 20),
        (("array", 0), 20),
        (("array", 0, "n"), 21),
        (("array", 0, "inner", "m"), 23),
        (("array", 1), 24),
        (("array", 1, "n"), 25),
        (("array", 1, "inner"), 26),
        (("array", 1, "inner", "m"), 27),
        (("array", 1, "many", 0), 28),
        (("array", 1, "many", 1, "k"), 30),
        (("later", "below"), 31),
        (("later",), 32),
        (("later", "below", "missing"), 31),
        (("table", "missing"), 2),
        (("missing",), 1),
        ((), 1),
    ],
)
def test_a_fault_is_told_with_the_line_of_its_place_or_of_what_should_contain_it(
    path: tuple[Step, ...], line: int
) -> None:
    fault = DataFile("f.toml", TRICKY.encode()).fault(path, "no")
    assert str(fault) == f"f.toml, line {line}: {'.'.join(map(str, path))}: no"


VALUES = st.sampled_from([
    "1", "-1.5e3", "true", "2026-01-02 03:04:05", '"#]["', "'\\'", '""', '"\\""', '"""\n[x]\n# y\n"""', "'''a\n'''",
    '"""\\"""""', '""""""', "[]", "[[],\n[#,\n],\n]", "{a = 1, b.c = [2,\n3]}", "[{a = '}'}]",
    '["""a"""", "]",\n""]',
])  # fmt: skip
GAPS = st.sampled_from(["", "\n", "# [no.table]\n", "  \t\n\n", "#'''\n"])


@given(tables=st.lists(st.lists(st.tuples(GAPS, VALUES, st.sampled_from(["", " # '", "  "])), max_size=4), max_size=4))
def test_every_key_of_a_file_is_found_where_it_was_written(tables: list[list[tuple[str, str, str]]]) -> None:
    text = ""
    expected: dict[tuple[Step, ...], int] = {}
    for t, keys in enumerate(tables):
        expected["t", t] = text.count("\n") + 1
        text += "[[t]]\n"
        for k, (gap, value, tail) in enumerate(keys):
            text += gap
            expected["t", t, f"k{k}"] = text.count("\n") + 1
            text += f"k{k} = {value}{tail}\n"
    file = DataFile("f.toml", text.encode())
    for path, line in expected.items():
        assert str(file.fault(path, "no")).startswith(f"f.toml, line {line}: ")


@given(octets=st.binary(max_size=200) | st.text("[]{}=\"'#.\\\n ax1,", max_size=60).map(str.encode))
def test_any_octets_are_toml_or_a_fault_with_a_line(octets: bytes) -> None:
    try:
        file = DataFile("f.toml", octets)
    except ConfigError as error:
        told = [str(error)]
    else:
        told = [str(file.fault((name,), "no")) for name in file.data]
    assert all(text.startswith("f.toml, line ") for text in told)


def test_the_last_line_needs_no_end() -> None:
    assert str(DataFile("f.toml", b"a = 1\nb = 2").fault(("b",), "no")) == "f.toml, line 2: b: no"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[x]\ncolour = 'red'\n", "line 1: x: Object missing required field `name`"),
        ("[x]\nname = 1\n", "line 2: x.name: Expected `str`, got `int`"),
        ("[x]\nname = ''\nsize = 1\n", "line 3: x.size: unknown; allowed: name, colour, parts"),
        ("[x]\nname = ''\ncolour = 'green'\n", "line 3: x.colour: Invalid enum value 'green'; allowed: red, blue"),
        ("[x]\nname = ''\ncolour = 1\n", "line 3: x.colour: Expected `str | null`, got `int`; allowed: red, blue"),
        ("[x]\nname = ''\nparts = [1,\n'2']\n", "line 4: x.parts.1: Expected `int`, got `str`"),
        ("[x]\nname = 'nobody'\n", "line 2: x.name: somebody"),
    ],
)
def test_a_field_that_cannot_be_is_told_with_its_line_and_what_is_allowed(text: str, fault: str) -> None:
    file = DataFile("f.toml", text.encode())
    assert fault_of(lambda: file.build(("x",), Thing, file.data["x"])) == f"f.toml, {fault}"


def test_a_row_is_made_of_what_is_in_the_file() -> None:
    file = DataFile("f.toml", b"[x]\nname = 'a'\ncolour = 'blue'\nparts = [1, 2]\n")
    assert [(name, file.build((name,), Thing, table)) for name, table in file.tables()] == [
        ("x", Thing("a", Colour.BLUE, [1, 2]))
    ]


def test_only_tables_may_be_at_the_top() -> None:
    file = DataFile("f.toml", b"[x]\n[[y]]\n")
    assert fault_of(lambda: list(file.tables())) == "f.toml, line 2: y: has to be a table: [y]"
