"""The tests of the plugin."""

# A project of its own, which a test copies elsewhere and runs there.
collect_ignore = ["example"]
