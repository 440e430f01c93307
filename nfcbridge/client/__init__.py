"""The phone's side: a phone, a transport for httpx2, a login session. Each is imported where it is used."""
