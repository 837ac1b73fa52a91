"""Planted mistakes and the tests that must see them: `python -m tests.mutants`, outside the test suite."""
