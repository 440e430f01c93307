"""Traces of other tools: what they wrote is read, and what they read is written."""
