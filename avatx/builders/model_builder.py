"""DetectionModel -> avatx.meta_architectures."""

from avatx import registrations
from avatx.meta_architectures.video_model import VideoModel
from avatx.protos import model_pb2


def build(config: model_pb2.DetectionModel) -> VideoModel:
    """The model, with its variables made. Raises ValueError for an unknown meta-architecture."""
    kind = config.WhichOneof("model")
    model = registrations.find(kind).build_model(getattr(config, kind))
    model.create_variables()
    return model
