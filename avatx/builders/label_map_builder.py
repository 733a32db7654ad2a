"""PipelineConfig -> which classes there are and what they are called: for naming, for scoring.

Two questions, which one map cannot answer. The train reader's map says which classes the model was
trained on, and so what each of its outputs is called. The evaluation's says which of them are
scored: AVA's challenge scores 60 of 80. So a detection has one name everywhere, that of
`build_names`, and only the metric looks at `build_scored`.
"""

from avatx import file_systems
from avatx.builders import input_reader_builder
from avatx.data.annotations.label_map import LabelMap, read_label_map
from avatx.errors import UserError
from avatx.protos import pipeline_pb2


def build_names(config: pipeline_pb2.PipelineConfig, required: bool = True) -> LabelMap:
    """All classes that the model knows, by name.

    Those of `train_input_reader`, and after them what the evaluation's maps name beside: files of
    the evaluation that are not there are left out.

    Args:
      config: without any label map there is no class with a name.
      required: whether the training's map, where the config names one, must be there: not so on a
        machine that only evaluates.

    Raises:
      UserError: a map is missing or wrong, holds ids beyond num_classes, or the two readers name a
        class differently.
    """
    _check_alike(config)
    train, *evaluation = _paths(config)
    paths = [path for path in (train, *evaluation) if file_systems.is_file(path)]
    needed = train or next(filter(None, evaluation), "")
    if required and needed and needed not in paths:
        paths.insert(0, needed)  # to say that it is missing
    names: dict[int, str] = {}
    groups: dict[int, str] = {}
    for path in paths:
        label_map = _read(path, config)
        for class_id, name in label_map.names.items():
            if class_id not in names:
                names[class_id] = name
                if class_id in label_map.groups:
                    groups[class_id] = label_map.groups[class_id]
    return LabelMap(names, groups)


def build_scored(config: pipeline_pb2.PipelineConfig) -> LabelMap:
    """The classes that an evaluation scores.

    Raises:
      UserError: as `build_names`.
    """
    _check_alike(config)
    train, evaluation, scored = _paths(config)
    return _read(scored or evaluation or train, config)


def _paths(config: pipeline_pb2.PipelineConfig) -> tuple[str, str, str]:
    """The training's map, the evaluation reader's, that of what is scored; "" where none is set."""
    return (
        config.train_input_reader.label_map_path,
        config.eval_input_reader.label_map_path,
        config.eval_config.label_map_path,
    )


def _read(path: str, config: pipeline_pb2.PipelineConfig) -> LabelMap:
    label_map = read_label_map(path)
    num_classes = input_reader_builder.model_of(config).num_classes
    if label_map.max_id > num_classes:
        raise UserError(
            f"{path}: the largest class id is {label_map.max_id} and model num_classes is "
            f"{num_classes}: set num_classes to at least {label_map.max_id}"
        )
    return label_map


def _check_alike(config: pipeline_pb2.PipelineConfig) -> None:
    """Raises UserError where training and evaluation name a class differently.

    Records are compared with their own reader's label map, which says nothing of the other's.
    """
    ours, theirs = config.train_input_reader.label_map_path, config.eval_input_reader.label_map_path
    if ours == theirs or not (file_systems.is_file(ours) and file_systems.is_file(theirs)):
        return  # one map for both, or a run that reads from one of them only
    names = read_label_map(theirs).names
    for class_id, name in read_label_map(ours).names.items():
        if names.get(class_id, name) != name:
            raise UserError(
                f"train_input_reader.label_map_path {ours} calls class {class_id} {name!r} and "
                f"eval_input_reader.label_map_path {theirs} {names[class_id]!r}: expected one "
                "numbering; write both sets of records with the same label map"
            )
