"""Tests of the networks that paint."""
