"""Tests of impasto.encoders."""
