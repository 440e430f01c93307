"""What a machine has and lacks for work with readers, found out and told with what to do.

machine    what the system tells of itself: files below a root, so that tests make their own
checks     what is looked at, one function each
loop       a self test between two links, one of them the tag
report     all of it as a form for a test log
"""

from nfcbridge.doctor.finding import Area, Finding, Verdict

__all__ = ["Area", "Finding", "Verdict"]
