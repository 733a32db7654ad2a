"""The files that a pipeline.config names, and what makes each where it is not there."""

import glob
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from avatx.config import schema

_UNKNOWN = re.compile(r"\$\w+|\$\{\w+\}|^~[^/]*(?=/|$)")


class NamedFile(NamedTuple):
    """A field that names a file."""

    field: str  # its path in the config
    path: str  # what it names: a file, a pattern or a checkpoint's prefix
    kind: str  # LABEL_MAP, RECORDS, CHECKPOINT, ANNOTATIONS or PERSON_BOXES
    remedy: str  # what to do where it is not there


def named_files(config) -> Iterator[NamedFile]:
    """Every file that `config` (a PipelineConfig) names, in the order of its fields."""
    for prefix, message in schema.set_messages(config):
        for field, value in message.ListFields():
            kind = schema.file_of(field)
            if kind:
                name = f"{prefix}.{field.name}"
                for path in value if schema.is_repeated(field) else [value]:
                    if path:
                        yield NamedFile(name, path, kind, _remedy(config, kind, path))


def expand_paths(config) -> None:
    """Replaces ~ and $VARIABLE in the names of files by what they stand for."""
    for _, message in schema.set_messages(config):
        for field, value in message.ListFields():
            if not schema.file_of(field):
                continue
            if schema.is_repeated(field):
                expanded = [_expanded(path) for path in value]
                message.ClearField(field.name)
                getattr(message, field.name).extend(expanded)
            else:
                setattr(message, field.name, _expanded(value))


def path_problems(config) -> Iterator[tuple[str, str]]:
    """Names of files that name none, whatever is on the disk: (field, what is wrong)."""
    for file in named_files(config):
        leaf = file.field.rpartition(".")[2]
        unknown = _UNKNOWN.search(file.path)
        if unknown and not _matches(file.path):
            yield (
                file.field,
                f"{leaf} is '{file.path}', and the environment has no {unknown.group()}: set it, "
                "or write the path in full",
            )
        parts = [part.strip() for part in file.path.split(",")]
        if file.kind == "RECORDS" and len(parts) > 1 and all(parts) and not _matches(file.path):
            several = ", ".join(f'"{part}"' for part in parts)
            yield (
                file.field,
                f"{leaf} is '{file.path}', one path with a comma, which is not there: for several "
                f"write [{several}]",
            )


def _expanded(path: str) -> str:
    return path if os.path.exists(path) else os.path.expandvars(os.path.expanduser(path))


def _matches(path: str) -> bool:
    """Whether a path or pattern names anything on this machine."""
    return bool(os.path.exists(path) or glob.glob(path))


def _remedy(config, kind: str, path: str) -> str:
    classifier = config.model.HasField("video_classifier")
    if kind == "RECORDS":
        tool = "create_kinetics_tfrecord" if classifier else "create_ava_tfrecord"
        prefix = re.split(r"[*?\[]", path)[0].rstrip("-")
        page = "docs/kinetics.md" if classifier else "docs/data.md"
        return f"write them with tools/{tool}.py --output {prefix} ({page})"
    if kind == "PERSON_BOXES":
        return "tools/detect_people.py writes such a file (docs/person-boxes.md)"
    if kind == "LABEL_MAP" and classifier:
        return (
            f"tools/create_kinetics_tfrecord.py --output_label_map {path} writes it beside the "
            "records (docs/kinetics.md)"
        )
    if kind == "CHECKPOINT":
        if config.train_config.fine_tune_checkpoint_type == "detection":
            return "train that detector first, with tools/model_main.py (docs/training.md)"
        return (
            f"import it with tools/import_i3d_weights.py --output {path} (docs/weights.md), or "
            "train a video_classifier"
        )
    return "it comes with the annotations (docs/data.md)"
