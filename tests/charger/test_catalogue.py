from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcbridge.charger.catalogue import (
    MAX_KEY,
    MAX_PARAMETERS,
    SHIPPED,
    Catalogue,
    Evidence,
    FreeCharging,
    Mode,
    Parameter,
    RestApi,
    RfidMode,
    Type,
    load_catalogue,
    parse_catalogue,
)
from nfcbridge.charger.datafile import DataFile
from nfcbridge.charger.roles import Role
from nfcbridge.errors import ConfigError

# 17 lines: what is appended begins with line 18.
BASE = """\
[ChargePointInfo]
vendor = "Text_web"
model = "Text_web"
serialNumber = "Text_web"
firmwareVersion = "Text_web"
chargePointId = "Text_web"

[web]
title = "Web"
read = "user"
write = "operator"

[web.Text_web]
type = "string"
default = ""
short = "Text"
long = "A text."
"""
TEXTS = 'short = "S"\nlong = "L"\n'


def parse(text: str) -> Catalogue:
    return parse_catalogue(DataFile("my.toml", text.encode()))


def fault_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value)


def parameter(fields: str) -> Parameter:
    return parse(f"{BASE}[web.X_web]\n{TEXTS}{fields}\n").parameters["X_web"]


SHIPPED_CATALOGUE = load_catalogue()


def test_there_are_more_parameters_and_groups_than_were_asked_for() -> None:
    assert len(SHIPPED_CATALOGUE.parameters) >= 60
    assert len(SHIPPED_CATALOGUE.groups) >= 8
    assert [key for group in SHIPPED_CATALOGUE.groups for key in group.params] == list(SHIPPED_CATALOGUE.parameters)


# Evidence D and P of the interface's description, and what it says of each.
@pytest.mark.parametrize(
    ("key", "facts"),
    [
        ("Enabled_wlan", {"type": Type.BOOL, "evidence": Evidence.DOCUMENTED}),
        ("WebUIStyle_web", {"evidence": Evidence.DOCUMENTED}),
        ("SysTime_mon", {"mode": Mode.READ, "live": True, "evidence": Evidence.DOCUMENTED}),
        ("ControllerTime_custom", {"mode": Mode.READ, "live": True, "evidence": Evidence.DOCUMENTED}),
        ("FreeCharging_vehicleif", {"enum": ["off", "on"], "evidence": Evidence.PREDECESSOR}),
        ("OperatorCurrentLimit_vehicleif", {"unit": "A", "type": Type.INT, "evidence": Evidence.PREDECESSOR}),
        ("FLLFillMode_fll", {"evidence": Evidence.PREDECESSOR}),
        ("RCMBDelta", {"type": Type.INT, "min": 0, "max": 999, "reboot": False, "evidence": Evidence.PREDECESSOR}),
        ("RCMB_STATE", {"mode": Mode.READ, "live": True, "evidence": Evidence.PREDECESSOR}),
        ("RCMBTransactionMaxRMS", {"mode": Mode.READ, "evidence": Evidence.PREDECESSOR}),
        ("RCMBTransactionMaxDC", {"mode": Mode.READ, "evidence": Evidence.PREDECESSOR}),
        ("WeldCheck", {"enum": [0, 1, 2], "reboot": True, "evidence": Evidence.PREDECESSOR}),
        ("WeldCheckInType", {"evidence": Evidence.PREDECESSOR}),
        ("ChargePointVendor", {"evidence": Evidence.PREDECESSOR}),
        ("ChargePointModel", {"evidence": Evidence.PREDECESSOR}),
        ("SSHAccessUsb", {"evidence": Evidence.PREDECESSOR}),
        ("SSHAccessWlanNetwork", {"evidence": Evidence.PREDECESSOR}),
        ("RfidMode_rfid", {"enum": list(RfidMode), "default": RfidMode.RFID_ONLY, "initial": RfidMode.HYBRID}),
        ("RestApi_web", {"enum": list(RestApi), "default": RestApi.WITH_UID}),
    ],
)
def test_what_is_known_of_a_parameter_is_in_the_shipped_catalogue(key: str, facts: dict[str, Any]) -> None:
    found = SHIPPED_CATALOGUE.parameters[key]
    assert {field: getattr(found, field) for field in facts} == facts


def test_what_nobody_has_documented_is_marked_inferred_and_has_a_section() -> None:
    for found in SHIPPED_CATALOGUE.parameters.values():
        if found.evidence is Evidence.INFERRED:
            assert "_" in found.key
    count = Counter(found.evidence for found in SHIPPED_CATALOGUE.parameters.values())
    assert (count[Evidence.DOCUMENTED], count[Evidence.PREDECESSOR]) == (4, 13)


def test_an_operator_sets_the_reader_mode() -> None:
    mode = SHIPPED_CATALOGUE.parameters["RfidMode_rfid"]
    assert [role for role in Role if mode.may_write(role)] == [Role.OPERATOR, Role.INSTALLER, Role.MANUFACTURER]


def test_the_free_charging_values_are_those_that_the_emulator_knows() -> None:
    assert SHIPPED_CATALOGUE.parameters["FreeCharging_vehicleif"].enum == list(FreeCharging)


def test_new_data_starts_with_a_tag() -> None:
    assert SHIPPED_CATALOGUE.initial_values() == {"RfidMode_rfid": "RFID/NFC hybrid"}


def test_every_text_of_the_shipped_catalogue_that_can_be_set_has_a_length_of_its_own() -> None:
    for found in SHIPPED_CATALOGUE.parameters.values():
        if found.type in {Type.STRING, Type.PASSWORD}:
            assert found.max is not None, found.key


def test_a_catalogue_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(BASE, encoding="utf-8")
    catalogue = load_catalogue(path)
    assert list(catalogue.parameters) == ["Text_web"]
    assert catalogue.groups[0].title == "Web"


def test_a_group_says_who_may_where_a_parameter_does_not() -> None:
    inherited = parameter('type = "bool"\ndefault = true')
    assert (inherited.read, inherited.write) == (Role.USER, Role.OPERATOR)
    own = parameter('type = "bool"\ndefault = true\nread = "installer"\nwrite = "manufacturer"')
    assert (own.read, own.write) == (Role.INSTALLER, Role.MANUFACTURER)
    assert [role for role in Role if own.may_read(role)] == [Role.INSTALLER, Role.MANUFACTURER]
    assert [role for role in Role if own.may_write(role)] == [Role.MANUFACTURER]


def test_nobody_writes_what_can_only_be_read() -> None:
    found = parameter('type = "bool"\ndefault = true\nmode = "r"')
    assert not any(found.may_write(role) for role in Role)


BOOL = 'type = "bool"\ndefault = true'
INT = 'type = "int"\ndefault = 7'
ENUM = 'type = "enum"\ndefault = "a"'


# The fields of a parameter that begins with line 18; its texts are lines 19 and 20, its fields follow from 21 on.
@pytest.mark.parametrize(
    ("fields", "line", "fault"),
    [
        ("", 18, "web.X_web: Object missing required field `type`"),
        ("default = 1", 18, "web.X_web: Object missing required field `type`"),
        ('type = "bool"', 18, "web.X_web: Object missing required field `default`"),
        (
            'type = "colour"\ndefault = 1',
            21,
            "web.X_web.type: Invalid enum value 'colour'; allowed: bool, int, float, ",
        ),
        ("type = 1\ndefault = 1", 21, "web.X_web.type: Expected `str`, got `int`; allowed: bool, int, float, "),
        (f"{BOOL}\nmaximum = 1", 23, "web.X_web.maximum: unknown; allowed: type, default, initial, mode, "),
        (f"{BOOL}\nkey = 'Y_web'", 23, "web.X_web.key: is given by the header"),
        (f"{BOOL}\ngroup = 'web'", 23, "web.X_web.group: is given by the header"),
        (f"{BOOL}\nmode = 'w'", 23, "web.X_web.mode: Invalid enum value 'w'; allowed: r, rw"),
        (f"{BOOL}\nread = 'root'", 23, "web.X_web.read: Invalid enum value 'root'; allowed: user, operator, "),
        (f"{BOOL}\nevidence = 'rumour'", 23, "web.X_web.evidence: Invalid enum value 'rumour'; allowed: documented, "),
        (f"{BOOL}\nreboot = 1", 23, "web.X_web.reboot: Expected `bool`, got `int`"),
        (f"{BOOL}\nmode = 'r'\nwrite = 'user'", 24, "web.X_web.write: the role that may write"),
        (f"{BOOL}\nread = 'installer'", 18, "web.X_web.write: who may write may read as well: at least installer"),
        (f"{BOOL}\nwrite = 'user'\nread = 'operator'", 23, "web.X_web.write: who may write may read as well"),
        (f"{BOOL}\nlive = true", 23, "web.X_web.live: what the charge point measures cannot be written"),
        (f"{BOOL}\nmode = 'r'\nlive = true\ninitial = false", 25, "web.X_web.initial: what the charge point measures"),
        (f"{BOOL}\nenum = ['a']", 23, "web.X_web.enum: an enum has a list of values"),
        (f"{BOOL}\nunit = 'A'", 23, "web.X_web.unit: only a number"),
        (f"{BOOL}\nmin = 0", 23, "web.X_web.min: only numbers (int, float) and texts"),
        (f"{BOOL}\nmax = 1", 23, "web.X_web.max: only numbers (int, float) and texts"),
        (ENUM, 18, "web.X_web.enum: an enum has a list of values"),
        (f"{ENUM}\nenum = []", 23, "web.X_web.enum: Expected `array` of length >= 1"),
        (f"{ENUM}\nenum = ['a', 1]", 23, "web.X_web.enum: values are all strings or all integers"),
        (f"{ENUM}\nenum = ['a', 'a']", 23, "web.X_web.enum: values are all strings or all integers, each of them once"),
        (f"{ENUM}\nenum = ['a',\n1.5]", 24, "web.X_web.enum.1: Expected `int | str`, got `float`"),
        (f"{ENUM}\nenum = ['b', 'c']", 22, "web.X_web.default: 'a' is not allowed; allowed: 'b', 'c'"),
        (f"{INT}\nmin = 8", 22, "web.X_web.default: 7 is not allowed; allowed: integer from 8 to 9007199254740991"),
        (f"{INT}\nmax = 6\nunit = 'A'", 22, "web.X_web.default: 7 is not allowed; allowed: integer from -90071992547"),
        (f"{INT}\nmin = 6.5", 23, "web.X_web.min: 6.5 is not an integer"),
        (f"{INT}\nmin = 8\nmax = 7", 24, "web.X_web.max: 7 is less than min, 8"),
        (f"{INT}\nmax = 9007199254740992", 23, "web.X_web.max: 9007199254740992 is not from -9007199254740991 to "),
        (f"{INT}\ninitial = '7'", 23, "web.X_web.initial: '7' is not allowed; allowed: integer from "),
        ('type = "int"\ndefault = true', 22, "web.X_web.default: True is not allowed; allowed: integer"),
        ('type = "int"\ndefault = 1.5', 22, "web.X_web.default: 1.5 is not allowed; allowed: integer"),
        ('type = "int"\ndefault = [1]', 22, "web.X_web.default: Expected `bool | int | float | str`, got `array`"),
        ('type = "float"\ndefault = nan', 22, "web.X_web.default: nan is not allowed; allowed: number"),
        ('type = "float"\ndefault = 1.0\nmin = nan', 23, "web.X_web.min: nan is not from"),
        ('type = "float"\ndefault = 1.0\nmax = inf', 23, "web.X_web.max: inf is not from"),
        ('type = "bool"\ndefault = 1', 22, "web.X_web.default: 1 is not allowed; allowed: true, false"),
        ('type = "string"\ndefault = ""\nmax = 256', 23, "web.X_web.max: 256 is not from 0 to 255"),
        ('type = "string"\ndefault = ""\nmin = -1', 23, "web.X_web.min: -1 is not from 0 to 255"),
        (
            'type = "string"\ndefault = "ab"\nmax = 1',
            22,
            "web.X_web.default: 'ab' is not allowed; allowed: string with",
        ),
        ('type = "ipv4"\ndefault = "1.2.3"', 22, "web.X_web.default: '1.2.3' is not allowed; allowed: an IPv4 address"),
        (f"{BOOL}\n[web]", 23, "Cannot declare ('web',) twice; each name stands once"),
        (f"{BOOL}\n[web.Text_web]", 23, "Cannot declare ('web', 'Text_web') twice; each name stands once"),
        (f"{BOOL}\n[web.X__web]", 23, "web.X__web: Object missing required field"),
    ],
)
def test_a_fault_of_a_parameter_is_told_with_its_line_and_what_is_allowed(fields: str, line: int, fault: str) -> None:
    assert fault_of(f"{BASE}[web.X_web]\n{TEXTS}{fields}\n").startswith(f"my.toml, line {line}: {fault}")


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("top = 1\n" + BASE, 1, "top: has to be a table: [top]"),
        (BASE + "[[list]]\n", 18, "list: has to be a table: [list]"),
        (BASE + "[Web]\n", 18, "Web: a group's name is of lower-case"),
        (BASE + "[more]\ntitle = 'M'\n", 18, "more: Object missing required field `read`"),
        (
            BASE + "[more]\ntitle = 'M'\nread = 'user'\ncolour = 1\n",
            21,
            "more.colour: unknown; allowed: title, read, write",
        ),
        (BASE + f"[more]\ntitle = '{'t' * 81}'\nread = 'user'\n", 19, "more.title: Expected `str` of length <= 80"),
        (
            BASE + f"[more]\ntitle = 'M'\nread = 'user'\n[more.Text_web]\n{BOOL}\n{TEXTS}",
            21,
            "more.Text_web: is in group web already; a key stands once",
        ),
        (
            BASE + f"[more]\ntitle = 'M'\nread = 'user'\n[more.X_web]\n{BOOL}\n{TEXTS}",
            21,
            "more.X_web.write: the role that may write, needed here or in the group",
        ),
        (BASE.replace('model = "Text_web"\n', ""), 1, "ChargePointInfo: Object missing required field `model`"),
        (
            BASE.replace('l = "Text_web"', 'l = "No_web"'),
            3,
            "ChargePointInfo.model: no parameter 'No_web' in this file",
        ),
        (BASE.replace("model", "mode"), 3, "ChargePointInfo.mode: unknown; allowed: vendor, model, serialNumber, "),
        (BASE.split("\n\n", 1)[1], 1, "ChargePointInfo: Object missing required field `vendor`"),
        ("", 1, "ChargePointInfo: Object missing required field `vendor`"),
    ],
)
def test_a_fault_around_the_parameters_is_told_with_its_line_and_what_is_allowed(
    text: str, line: int, fault: str
) -> None:
    assert fault_of(text).startswith(f"my.toml, line {line}: {fault}")


@pytest.mark.parametrize("key", ["X_", "_X", "X__web", '"X web"', '"X,Y"', "1X_web", '"Ä_web"', "X-web", '""'])
def test_a_key_has_letters_digits_and_single_lines_between_them(key: str) -> None:
    fault = fault_of(f"{BASE}[web.{key}]\n{BOOL}\n{TEXTS}")
    assert fault.startswith("my.toml, line 18: ")
    assert "a key is Name_section" in fault


def test_a_key_has_so_many_characters_and_no_more() -> None:
    longest = "X" * (MAX_KEY - 4) + "_web"
    assert longest in parse(f"{BASE}[web.{longest}]\n{BOOL}\n{TEXTS}").parameters
    assert "at most 64 characters" in fault_of(f"{BASE}[web.X{longest}]\n{BOOL}\n{TEXTS}")


def test_a_catalogue_has_so_many_parameters_and_no_more() -> None:
    rows = [f"[web.X{n}_web]\n{BOOL}\n{TEXTS}" for n in range(MAX_PARAMETERS)]
    assert len(parse(BASE + "".join(rows[1:])).parameters) == MAX_PARAMETERS
    fault = f"my.toml, line {18 + 5 * (MAX_PARAMETERS - 1)}: web.X511_web: more than 512 parameters"
    assert fault_of(BASE + "".join(rows)) == fault


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ("short", "web.X_web.short: Expected `str` of length <= 80"),
        ("long", "web.X_web.long: Expected `str` of length <= 400"),
    ],
)
def test_a_description_has_so_many_characters_and_no_more(field: str, fault: str) -> None:
    limit = int(fault.rsplit(" ", 1)[1])
    texts = {"short": "S", "long": "L"}
    for count in (limit, limit + 1):
        lines = "".join(f'{name} = "{text}"\n' for name, text in (texts | {field: "d" * count}).items())
        text = f"{BASE}[web.X_web]\n{BOOL}\n{lines}"
        if count == limit:
            assert len(getattr(parse(text).parameters["X_web"], field)) == limit
        else:
            assert fault in fault_of(text)


@pytest.mark.parametrize(
    ("fields", "line", "fault"),
    [
        ("[web.RfidMode_rfid]\ntype = 'bool'\ndefault = true", 19, "web.RfidMode_rfid.type: the emulator acts on this"),
        (
            "[web.RestApi_web]\ntype = 'enum'\ndefault = 'maybe'\nenum = ['Disabled', 'maybe']",
            21,
            "web.RestApi_web.enum: the emulator acts on this parameter, and knows only Disabled, Enabled (with",
        ),
        (
            "[web.OperatorCurrentLimit_vehicleif]\ntype = 'float'\ndefault = 16.0",
            19,
            "web.OperatorCurrentLimit_vehicleif.type: the emulator acts on this parameter: it has to be int",
        ),
    ],
)
def test_what_the_emulator_acts_on_cannot_become_something_else(fields: str, line: int, fault: str) -> None:
    assert fault_of(f"{BASE}{fields}\n{TEXTS}").startswith(f"my.toml, line {line}: {fault}")


def test_what_the_emulator_acts_on_can_have_fewer_values() -> None:
    fields = "[web.RestApi_web]\ntype = 'enum'\ndefault = 'Disabled'\nenum = ['Disabled']"
    assert parse(f"{BASE}{fields}\n{TEXTS}").parameters["RestApi_web"].enum == ["Disabled"]


LINES = f"{BASE}[web.N_web]\n{INT}\nmin = 1\nunit = 'A'\n{TEXTS}".splitlines(keepends=True)


@given(place=st.integers(0, len(LINES) - 1), drawn=st.data())
def test_a_catalogue_with_a_changed_line_is_good_or_a_fault_with_a_line_of_it(place: int, drawn: st.DataObject) -> None:
    other = drawn.draw(st.sampled_from(["", *LINES]) | st.text("[]{}=\"'#.\n a1", max_size=8))
    text = "".join([*LINES[:place], other, *LINES[place + 1 :]])
    try:
        parse(text)
    except ConfigError as error:
        told = str(error)
    else:
        told = "my.toml, line 1: nothing"
    name, _, rest = told.partition(", line ")
    assert name == "my.toml"
    assert 1 <= int(rest.split(":")[0]) <= text.count("\n") + 1


def test_the_shipped_file_says_the_lines_of_its_parameters() -> None:
    file = DataFile("catalogue.toml", SHIPPED.read_bytes())
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    for found in SHIPPED_CATALOGUE.parameters.values():
        line = lines.index(f"[{found.group}.{found.key}]") + 1
        assert f"line {line}: " in str(file.fault((found.group, found.key), "no"))
