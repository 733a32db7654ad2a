"""Which of the files that a config names are not there."""

from avatx.config.files import NamedFile, named_files
from avatx.data.records.remote_files import match_files
from avatx.errors import UserError
from avatx.protos import pipeline_pb2


def missing_files(config: pipeline_pb2.PipelineConfig) -> list[NamedFile]:
    """Those that are not there, or cannot be looked for, in the order of the config's fields."""
    return [file for file in named_files(config) if not _is_there(file)]


def _is_there(file: NamedFile) -> bool:
    patterns = [file.path]
    if file.kind == "CHECKPOINT":  # a prefix, with or without the ending, or a folder of them
        patterns = [file.path.removesuffix(".index") + ".index", f"{file.path}/*.index"]
    return any(map(_matches, patterns))


def _matches(pattern: str) -> bool:
    try:
        return bool(match_files([pattern]))
    except UserError:
        return False
