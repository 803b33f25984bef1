"""Tests of `impasto.fast`."""
