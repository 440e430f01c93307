"""Recorded readers against our card, and recorded cards against a reader."""
