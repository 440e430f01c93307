"""Benchmarks: run by hand, `python -m tests.bench.NAME --help`. They judge nothing and print what they measured."""
