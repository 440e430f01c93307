"""What tests of other projects use: a plugin for pytest."""
