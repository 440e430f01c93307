"""What a charger would refuse is told before anything is written."""

import pytest

from nfcbridge.client.backup.charger import Setting
from nfcbridge.client.backup.check import problems, unknown_settings, writable
from nfcbridge.client.backup.copy import Copy, Tag, User

SETTINGS = {
    "Limit_x": Setting(16, "int", "rw", min=6, max=32),
    "Factor_x": Setting(1.5, "float", "rw"),
    "On_x": Setting(True, "bool", "rw"),
    "Mode_x": Setting("a", "enum", "rw", enum=["a", "b"]),
    "Name_x": Setting("abc", "string", "rw", min=1, max=3),
    "Address_x": Setting("", "ipv4", "rw"),
    "Power_mon": Setting(11.0, "float", "r"),
    "Secret_x": Setting("", "password", "rw"),
}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"Limit_x": 32, "Factor_x": 2, "On_x": False, "Mode_x": "b", "Name_x": "ab", "Address_x": "10.0.0.1"}, ""),
        ({"Power_mon": 11.0}, ""),
        ({"Limit_x": 33}, "setting Limit_x: 33 is more than 32"),
        ({"Limit_x": 5}, "setting Limit_x: 5 is less than 6"),
        ({"Limit_x": "16"}, "setting Limit_x: '16' is no int"),
        ({"Limit_x": True}, "setting Limit_x: True is no int"),
        ({"On_x": 1}, "setting On_x: 1 is no bool"),
        ({"Mode_x": "c"}, "setting Mode_x: 'c' is none of 'a', 'b'"),
        ({"Name_x": "abcd"}, "setting Name_x: 'abcd' is more than 3 characters"),
        ({"Name_x": ""}, "setting Name_x: '' is less than 1 characters"),
        ({"Address_x": "1.2.3"}, "setting Address_x: '1.2.3' is no address"),
        ({"Power_mon": 12.0}, "setting Power_mon: this role may not write it; log in as one that may with --user"),
        (
            {"Gone_x": 1},
            (
                "setting Gone_x: the charger has none of that name for this role; "
                "--user takes another, --skip-unknown leaves it out"
            ),
        ),
    ],
)
def test_settings_are_held_against_what_the_charger_says_of_them(settings: dict[str, object], words: str) -> None:
    assert problems(Copy(settings=settings), SETTINGS) == ([words] if words else [])


def test_what_the_charger_does_not_have_or_lets_nobody_write_is_left_out() -> None:
    copy = Copy(settings={"Limit_x": 7, "Power_mon": 11.0, "Secret_x": "", "Gone_x": 1})
    assert unknown_settings(copy, SETTINGS) == ["Gone_x"]
    assert writable(copy, SETTINGS).settings == {"Limit_x": 7}
    assert writable(Copy(), SETTINGS) == Copy()


@pytest.mark.parametrize(
    ("copy", "words"),
    [
        (Copy(users=[User("u", "x" * 255)]), ""),
        (Copy(users=[User("u", "x" * 256)]), "user u: the name has 256 characters, 255 are allowed"),
        (Copy(whitelist=[Tag(id="a b")]), "whitelist: 'a b' can be no id"),
        (Copy(whitelist=[Tag(id="a,b")]), "whitelist: 'a,b' can be no id"),
        (Copy(whitelist=[Tag(id="")]), "whitelist: '' can be no id"),
        (Copy(whitelist=[Tag(id="1", tag_type="X")]), "whitelist 1: the tagType 'X' is none of EVCCID, NFC, RFID"),
        (Copy(whitelist=[Tag(id="1", priority="LOW")]), "whitelist 1: the priority 'LOW' is none of HIGH, NORMAL"),
        (Copy(pairs={"k" * 256: "v" * 1000}), ""),
        (Copy(pairs={"": "v"}), "pair '': the key has 0 characters, 1 to 256 are allowed"),
        (Copy(pairs={"k" * 257: ""}), f"pair '{'k' * 20}': the key has 257 characters, 1 to 256 are allowed"),
        (Copy(pairs={"k": "v" * 1001}), "pair 'k': the value has 1001 characters, 1000 are allowed"),
        (Copy(pairs={str(number): "" for number in range(1000)}), ""),
        (Copy(pairs={str(number): "" for number in range(1001)}), "1001 pairs, and 1000 are allowed"),
    ],
)
def test_users_entries_and_pairs_are_held_against_the_limits(copy: Copy, words: str) -> None:
    assert problems(copy, {}) == ([words] if words else [])
