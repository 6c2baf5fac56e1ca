"""Benchmarks: ``python -m benchmarks run``; `docs/performance.md` says what is measured and how to read it."""
