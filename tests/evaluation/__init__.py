"""Tests of impasto.evaluation."""
