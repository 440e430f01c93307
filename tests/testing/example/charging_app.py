"""An app for drivers: says what the charger does. It knows httpx2, and nothing of NFC: any client will do."""

import hashlib

import httpx2


class ChargingApp:
    """Args: client: with the base URL of the charger, such as httpx2.Client(transport=NfcTransport("pcsc:ACR122"))."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def log_in(self, user: str, password: str) -> None:
        token = self._client.get("/login").raise_for_status().json()["token"]
        digest = hashlib.sha256((password + token).encode()).hexdigest()
        login = self._client.post("/login", json={"username": user, "password": digest}).raise_for_status()
        self._client.headers["Authorization"] = login.json()["session"]["session_id"]

    def status(self) -> str:
        response = self._client.get("/system_state")
        if response.status_code == 401:
            return "please log in"
        state = response.raise_for_status().json()
        if state["systemState"] == "error":
            return "out of order: " + ", ".join(message["text"] for message in self._messages())
        return {"a": "ready", "b": "plugged in", "c": "charging"}.get(state["type2State"], "busy")

    def _messages(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._client.get("/logging/messages").raise_for_status().json()["messages"]
        return found
