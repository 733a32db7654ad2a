"""What belongs to each meta-architecture: a file each, called as its field of model.proto.

A third one is a file here, a field of `DetectionModel` in model.proto, and its own code.
"""

import importlib
import pkgutil

from avatx.registrations.meta_architecture import MetaArchitecture

__all__ = ["MetaArchitecture", "find", "names"]

_NO_REGISTRATION = "meta_architecture"  # the module of what is registered


def find(name: str) -> MetaArchitecture:
    """The registration of a meta-architecture.

    Args:
      name: its field of `DetectionModel` in model.proto.

    Raises:
      ValueError: there is none.
    """
    if name not in names():
        raise ValueError(f"unknown model: {name}; registered are {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{name}").REGISTRATION


def names() -> list[str]:
    """All that are registered, in alphabetical order."""
    modules = [module.name for module in pkgutil.iter_modules(__path__)]
    return [name for name in modules if name != _NO_REGISTRATION]
