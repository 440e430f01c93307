"""The emulated charge controller: its REST interface as an ASGI application, and the charge point behind it.

    app.py -> operation.py (one call: session, role, body, answer) -> api_*.py (what each operation does)
      |            |                                                      |
    routes.py    policy.py (what cannot be done)                        controller.py
    (the table)                                                           |-- sessions.py, login.py, backoff.py
                                                                          '-- state.py
    store.py, sealing.py: what lasts

What is here is the core of every door: HTTP and NFC call the same application.
"""

from nfcbridge.charger.app import create_app
from nfcbridge.charger.controller import Controller
from nfcbridge.charger.login import FixedPasswords, Passwords, hash_password
from nfcbridge.charger.passwords import make_password
from nfcbridge.charger.roles import Role
from nfcbridge.charger.routes import BASE_PATH
from nfcbridge.charger.store import Store, open_store

__all__ = [
    "BASE_PATH",
    "Controller",
    "FixedPasswords",
    "Passwords",
    "Role",
    "Store",
    "create_app",
    "hash_password",
    "make_password",
    "open_store",
]
