"""Tests of `impasto.offline`."""
