"""Planted mistakes and the tests that must see them: `medattn study mutants`, outside the test suite."""
