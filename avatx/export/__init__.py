"""A trained detector as a SavedModel."""
