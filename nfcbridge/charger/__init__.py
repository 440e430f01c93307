"""The emulated charge controller: its REST interface as an ASGI application, and the charge point behind it.

    app.py -> operation.py (one call: session, role, query, body, answer) -> api_*.py (what each operation does)
      |            |                                                           |-- state.py, answers.py (shapes)
    routes.py    policy.py (what cannot be done)                             controller.py
    (the table)  query.py, roles.py                                            |-- sessions.py, login.py, backoff.py
                                                                               |-- settings.py (catalogue.py, layout.py:
                                                                               |   read from .toml by datafile.py)
                                                                               |-- whitelist.py, key_values.py
                                                                               |-- live.py -> point/ (the charge point)
                                                                               |   (obeyed.py: the settings it obeys)
                                                                               '-- store.py (what lasts)
                                                                                     |-- passwords.py, sealing.py
                                                                                     |-- shelf.py (in memory)
                                                                                     '-- writer.py -> database.py
                                                                                         (tables.py: names, durability)

    web.py       the pages and the document, for people and tools, around all of it over HTTP
    openapi.py   the document, made from routes.py, schemas.py and examples.py
    bench/       drives the charge point from outside and shows what it does; no part of the product

What is here is the core of every door: HTTP and NFC call the same application. All of it runs in the thread of one
event loop and needs no lock; only the database has a thread of its own.
"""

from nfcbridge.charger.app import create_app
from nfcbridge.charger.catalogue import load_catalogue
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.layout import load_layout
from nfcbridge.charger.login import FixedPasswords, Passwords, hash_password
from nfcbridge.charger.passwords import make_password
from nfcbridge.charger.roles import Role
from nfcbridge.charger.routes import BASE_PATH
from nfcbridge.charger.store import Store, open_store
from nfcbridge.charger.tables import Durability

__all__ = [
    "BASE_PATH",
    "Controller",
    "Durability",
    "FixedPasswords",
    "Passwords",
    "Role",
    "Store",
    "create_app",
    "hash_password",
    "load_catalogue",
    "load_layout",
    "make_password",
    "open_store",
]
