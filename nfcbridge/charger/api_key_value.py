"""The key-value store of the customer."""

from nfcbridge.charger.answers import Done, refuse
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.key_values import Pairs, change_fault, new_fault
from nfcbridge.charger.operation import Call
from nfcbridge.charger.policy import Failed, failed


async def get_pairs(controller: Controller, _call: Call[None, None]) -> Pairs:
    """All pairs."""
    return controller.store.pairs.rows


async def post_pairs(controller: Controller, call: Call[Pairs, None]) -> Done | Failed:
    """New pairs."""
    pairs = controller.store.pairs
    failure = new_fault(pairs.staged, call.body)
    if failure is not None:
        return await refuse(controller, failure)
    await controller.store.keep(*(pairs.put(key, value) for key, value in call.body.items()))
    return Done()


async def put_pairs(controller: Controller, call: Call[Pairs, None]) -> Done | Failed:
    """Other values for pairs that are there."""
    pairs = controller.store.pairs
    failure = change_fault(pairs.staged, call.body)
    if failure is not None:
        return await refuse(controller, failure)
    await controller.store.keep(*(pairs.put(key, value) for key, value in call.body.items()))
    return Done()


async def get_pair(controller: Controller, call: Call[None, None]) -> Pairs | Failed:
    """One pair."""
    key = call.path_parameters["key"]
    value = controller.store.pairs.rows.get(key)
    return failed("key not found") if value is None else {key: value}


async def delete_pair(controller: Controller, call: Call[None, None]) -> Done | Failed:
    """One pair goes."""
    pairs, key = controller.store.pairs, call.path_parameters["key"]
    if key not in pairs.staged:
        return await refuse(controller, failed("key not found"))
    await controller.store.keep(pairs.drop(key))
    return Done()
