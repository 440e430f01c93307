"""The fault campaign: seeded faults at any frame of a login, a read and a write, in virtual time.

`python -m tests.campaign --seeds 10000` runs it by hand; CI runs fewer seeds, and every plan kept in fixtures/campaign.
"""
