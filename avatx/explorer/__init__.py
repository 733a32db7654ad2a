"""A result of detection as a page to look through: video, timeline, attention."""
