"""What of the flags goes into the JSON."""

import argparse


def settings(flags: argparse.Namespace) -> dict:
    """Flags that were given or have a default, without where the output goes."""
    return {
        name: value
        for name, value in sorted(vars(flags).items())
        if name != "json" and value not in (None, [], False)
    }
