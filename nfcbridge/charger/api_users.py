"""The users of the charge point: names by id."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nfcbridge.charger.answers import Done, refuse
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.operation import Call
from nfcbridge.charger.policy import Failed, failed
from nfcbridge.charger.randomness import make_uuid

# Characters of a user's name (API reference, "Add a new user to the database").
MAX_NAME: Final = 255
# Users; as many as the whitelist has entries.
MAX_USERS: Final = 10_000


class User(msgspec.Struct, frozen=True, rename="camel"):
    """A user; in the mode without UID the name is left out."""

    user_id: str
    user_name: str | UnsetType = UNSET


class Users(msgspec.Struct, frozen=True):
    """All users."""

    users: list[User]


class UserName(msgspec.Struct, frozen=True, rename="camel"):
    """A name."""

    user_name: Annotated[str, Meta(max_length=MAX_NAME)]


def _told(controller: Controller, user_id: str, name: str) -> User:
    return User(user_id, name if controller.shows_uid else UNSET)


async def get_users(controller: Controller, _call: Call[None, None]) -> Users:
    """All of them."""
    return Users([_told(controller, user_id, name) for user_id, name in controller.store.users.rows.items()])


async def post_user(controller: Controller, call: Call[UserName, None]) -> User | Failed:
    """A new one, with a new id. Two may have the same name."""
    users = controller.store.users
    if len(users.staged) >= MAX_USERS:
        return await refuse(controller, failed("too many entries"))
    user_id, name = make_uuid(controller.randomness, call.client), call.body.user_name
    await controller.store.keep(users.put(user_id, name))
    return _told(controller, user_id, name)


async def get_user(controller: Controller, call: Call[None, None]) -> User | Failed:
    """One of them."""
    user_id = call.path_parameters["userId"]
    name = controller.store.users.rows.get(user_id)
    return _unknown() if name is None else _told(controller, user_id, name)


async def put_user(controller: Controller, call: Call[UserName, None]) -> Done | Failed:
    """Another name for one of them."""
    users, user_id = controller.store.users, call.path_parameters["userId"]
    if user_id not in users.staged:
        return await refuse(controller, _unknown())
    await controller.store.keep(users.put(user_id, call.body.user_name))
    return Done()


async def delete_user(controller: Controller, call: Call[None, None]) -> Done | Failed:
    """One of them goes; entries of the whitelist keep the id."""
    users, user_id = controller.store.users, call.path_parameters["userId"]
    if user_id not in users.staged:
        return await refuse(controller, _unknown())
    await controller.store.keep(users.drop(user_id))
    return Done()


def _unknown() -> Failed:
    # The sample of "Delete one existing chargepoint user from the database".
    return failed("invalid path")
