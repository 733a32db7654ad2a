"""From a user's own videos and annotations to an experiment: measured, split, written."""
