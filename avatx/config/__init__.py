"""A pipeline.config: read, overridden, checked, written."""

from avatx.config.pipeline_config import apply_override, load, write

__all__ = ["apply_override", "load", "write"]
