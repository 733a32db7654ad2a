"""Weights in files: found, restored, compared, published ones imported."""
