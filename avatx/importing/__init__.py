"""Annotations of other tools to AVA's csv, with a report of what had no place there."""
