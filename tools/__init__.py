"""The command lines: flags in, one call into avatx, exit code out."""
