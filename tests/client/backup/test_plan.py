"""The plan: what is left to do, and nothing once a charger keeps what the copy has."""

import random
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import asdict

from nfcbridge.client.backup.copy import Copy, Tag, User
from nfcbridge.client.backup.plan import CHUNK, MAX_IDS, Step, chunks, make_plan, match_users, with_user

TAG = Tag(id="abcdef12", user_id="u1", number=5)


def steps(copy: Copy, there: Copy, *, keep: bool = False) -> list[tuple[str, str, object]]:
    return [(step.method, step.path, step.body) for step in make_plan(copy, there, keep=keep)]


def test_a_user_is_found_by_id_then_by_name_and_else_added() -> None:
    wanted = [User("a", "Ann"), User("b", "Ben"), User("c", "Cleo"), User("d", "Ben")]
    there = [User("x", "Ben"), User("a", "Anne"), User("y", "Zoe")]
    assert match_users(wanted, there) == {"a": "a", "b": "x"}
    assert steps(Copy(users=wanted), Copy(users=there)) == [
        ("DELETE", "/users/y", None),
        ("PUT", "/users/a", {"userName": "Ann"}),
        ("POST", "/users", {"userName": "Cleo"}),
        ("POST", "/users", {"userName": "Ben"}),
    ]


def test_with_keep_nothing_is_deleted() -> None:
    there = Copy(users=[User("y", "Zoe")], whitelist=[Tag(id="old")], pairs={"old": "1"})
    assert steps(Copy(users=[], whitelist=[], pairs={}), there, keep=True) == []
    assert [step[0] for step in steps(Copy(users=[], whitelist=[], pairs={}), there)] == ["DELETE"] * 3


def test_what_the_copy_does_not_have_is_left_alone() -> None:
    assert steps(Copy(), Copy(users=[User("y", "Zoe")], pairs={"old": "1"}, whitelist=[], settings={"a": 1})) == []


def test_an_entry_that_loses_a_field_is_deleted_and_added_again() -> None:
    there = Copy(whitelist=[Tag(id="1", name="Ann"), Tag(id="2", name="Ben"), Tag(id="3")])
    wanted = [Tag(id="1"), Tag(id="2", name="Bob"), Tag(id="3")]
    assert steps(Copy(whitelist=wanted), there) == [
        ("DELETE", "/whitelist?type=local&ids=1", None),
        ("POST", "/whitelist", {"type": "local", "command": "edit", "tags": [wanted[1]]}),
        ("POST", "/whitelist", {"type": "local", "command": "add", "tags": [wanted[0]]}),
    ]


def test_settings_that_may_take_the_tag_away_come_last() -> None:
    wanted = {"RestApi_web": "Disabled", "RfidMode_rfid": "RFID only", "A_x": 1, "B_x": True}
    there = {"RestApi_web": "Enabled (with UID)", "RfidMode_rfid": "RFID/NFC hybrid", "A_x": 1, "B_x": 1}
    plan = make_plan(Copy(settings=wanted), Copy(settings=there))
    assert [step.body for step in plan] == [
        {"params": [{"key": "B_x", "value": True}]},  # true is not 1
        {"params": [{"key": "RfidMode_rfid", "value": "RFID only"}]},
        {"params": [{"key": "RestApi_web", "value": "Disabled"}]},
    ]
    assert [step.last for step in plan] == [False, True, True]


def test_a_key_with_any_characters_has_a_path_of_its_own() -> None:
    assert steps(Copy(pairs={}), Copy(pairs={"a/b ?": ""})) == [("DELETE", "/key_value_store/a%2Fb%20%3F", None)]


@pytest.mark.parametrize(("sizes", "parts"), [([5, 5], [[5, 5]]), ([5, 6], [[5], [6]]), ([11], [[11]]), ([], [])])
def test_parts_are_filled_up_to_the_bound_and_no_further(sizes: list[int], parts: list[list[int]]) -> None:
    assert list(chunks(sizes, lambda size: size, 10)) == parts


NAMES = st.sampled_from(["Ann", "Ben", "Cleo"])
IDS = st.sampled_from([f"id{number}" for number in range(6)])
USERS = st.dictionaries(IDS, NAMES).map(lambda names: [User(user, name) for user, name in names.items()])
TAGS = st.lists(
    st.builds(
        Tag,
        id=st.sampled_from([f"{number:08x}" for number in range(8)]),
        tag_type=st.sampled_from(["RFID", "NFC"]),
        number=st.just(UNSET) | st.integers(0, 2),
        name=st.just(UNSET) | NAMES,
        user_id=st.just(UNSET) | IDS,
    ),
    unique_by=lambda tag: tag.id,
)
PAIRS = st.dictionaries(st.sampled_from(["a", "b/c", "ü"]), st.sampled_from(["1", "2" * CHUNK]))
COPIES = st.builds(
    Copy, users=USERS, whitelist=TAGS, pairs=PAIRS, settings=st.dictionaries(NAMES, st.integers(0, 2), min_size=3)
)


class Model:
    """A charger that does what the interface says, and nothing that it forbids."""

    def __init__(self, kept: Copy) -> None:
        self.users = {user.user_id: user.user_name for user in kept.users or ()}
        self.whitelist = {tag.id: tag for tag in kept.whitelist or ()}
        self.pairs = dict(kept.pairs or {})
        self.settings = dict(kept.settings or {})
        self.ids: dict[str, str] = {}

    def kept(self) -> Copy:
        return Copy(
            users=[User(*user) for user in self.users.items()],
            whitelist=list(self.whitelist.values()),
            pairs=dict(self.pairs),
            settings=dict(self.settings),
        )

    def take(self, step: Step) -> None:
        path, _, query = step.path.partition("?")
        _, where, *rest = (unquote(part) for part in path.split("/"))
        {
            "users": self._users,
            "whitelist": self._whitelist,
            "key_value_store": self._pairs,
            "settings": self._settings,
        }[where](step, "/".join(rest), parse_qs(urlsplit(f"?{query}").query))

    def _users(self, step: Step, user: str, _query: dict[str, list[str]]) -> None:
        if step.method == "DELETE":
            del self.users[user]
        elif step.method == "PUT":
            assert user in self.users
            self.users[user] = step.body["userName"]
        else:
            self.ids[step.user] = f"new{len(self.users)}-{len(self.ids)}"
            self.users[self.ids[step.user]] = step.body["userName"]

    def _whitelist(self, step: Step, _rest: str, query: dict[str, list[str]]) -> None:
        if step.method == "DELETE":
            assert len(query["ids"][0]) <= MAX_IDS
            for tag in query["ids"][0].split(","):
                del self.whitelist[tag]
            return
        for tag in step.body["tags"]:
            named = with_user(tag, self.ids)
            assert (tag.id in self.whitelist) == (step.body["command"] == "edit")
            old = asdict(self.whitelist.get(tag.id, named))
            self.whitelist[tag.id] = Tag(**old | {k: v for k, v in asdict(named).items() if v is not UNSET})

    def _pairs(self, step: Step, key: str, _query: dict[str, list[str]]) -> None:
        if step.method == "DELETE":
            del self.pairs[key]
            return
        assert all((each in self.pairs) == (step.method == "PUT") for each in step.body)
        self.pairs |= step.body

    def _settings(self, step: Step, _rest: str, _query: dict[str, list[str]]) -> None:
        self.settings |= {change["key"]: change["value"] for change in step.body["params"]}


@given(COPIES, COPIES, st.integers())
def test_a_plan_that_is_broken_off_anywhere_and_made_anew_gets_there(copy: Copy, there: Copy, seed: int) -> None:
    torn = random.Random(seed)
    model = Model(there)
    for _ in range(1000):
        plan = make_plan(copy, model.kept())
        if not plan:
            break
        model.ids |= match_users(copy.users or (), model.kept().users or ())
        for step in plan:
            if torn.random() < 0.3:
                if torn.random() < 0.5:
                    model.take(step)  # executed, and nobody heard of it
                break
            model.take(step)
    kept = model.kept()
    ids = match_users(copy.users or (), kept.users or ())
    assert sorted(user.user_name for user in kept.users or ()) == sorted(user.user_name for user in copy.users or ())
    assert {tag.id: tag for tag in kept.whitelist or ()} == {
        tag.id: with_user(tag, ids) for tag in copy.whitelist or ()
    }
    assert kept.pairs == copy.pairs
    assert kept.settings == {**(there.settings or {}), **(copy.settings or {})}
