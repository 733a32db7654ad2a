"""A trained model as one object, and what is asked of it."""
