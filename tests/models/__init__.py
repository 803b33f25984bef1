"""Tests of impasto.models."""
