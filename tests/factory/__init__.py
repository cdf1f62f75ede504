"""Tests that start the real factory with the real model."""
