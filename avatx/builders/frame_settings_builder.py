"""Clip.frame_settings <-> avatx.data.video.frame_settings, and what the records say of them."""

from typing import NamedTuple

from avatx.builders import input_reader_builder
from avatx.data.input import frame_settings_check
from avatx.data.records.record_frames import frames_of_files
from avatx.data.records.remote_files import match_files
from avatx.data.video.frame_settings import FIELDS, Known
from avatx.errors import UserError
from avatx.protos import input_reader_pb2, pipeline_pb2


def build(config: pipeline_pb2.PipelineConfig) -> Known:
    """What the config says of how frames are taken; of what it leaves out, None."""
    message = input_reader_builder.model_of(config).clip.frame_settings
    return {name: getattr(message, name) if message.HasField(name) else None for name in FIELDS}


class RecordFrames(NamedTuple):
    """How frames are taken, by the config and by the records that are there."""

    config: Known
    train: frame_settings_check.Found
    evaluation: frame_settings_check.Found
    has_flow: bool  # whether the model has a flow stream
    clip_frame_rate: float

    @classmethod
    def read(cls, config: pipeline_pb2.PipelineConfig) -> "RecordFrames":
        """Reads the beginnings of the records of `config`; files that are not there say nothing."""
        shape = input_reader_builder.build_clip_shape(input_reader_builder.model_of(config))
        return cls(
            config=build(config),
            train=_frames_of(config.train_input_reader),
            evaluation=_frames_of(config.eval_input_reader),
            has_flow=shape.has_flow,
            clip_frame_rate=shape.frame_rate,
        )

    @property
    def trained(self) -> Known:
        """How frames are taken for training: what the config says, else what all records say."""
        known = frame_settings_check.agreed(self.train)
        if not self.has_flow and any(value is not None for value in known.values()):
            known["optical_flow"] = ""  # whatever the records hold: the model takes none
        for name, value in self.config.items():
            if value is not None:
                known[name] = value
        return known

    def check(self, training: bool, evaluating: bool) -> list[str]:
        """Lines about what is odd.

        Args:
          training: whether the run reads the training records.
          evaluating: whether it reads the evaluation records.

        Raises:
          UserError: something of it would be wrong.
        """
        if training:
            frame_settings_check.check_train_records(self.train, self.config, self.has_flow)
        if evaluating:
            frame_settings_check.check_eval_records(self.evaluation, self.trained, self.has_flow)
        return frame_settings_check.notes(
            self.train if training else (),
            self.evaluation if evaluating else (),
            self.trained,
            self.has_flow,
            self.clip_frame_rate,
        )

    def filled(self, config: pipeline_pb2.PipelineConfig) -> pipeline_pb2.PipelineConfig:
        """A copy of `config` that says how frames are taken, as far as that is known."""
        filled = pipeline_pb2.PipelineConfig()
        filled.CopyFrom(config)
        for name, value in self.trained.items():
            if value is not None:
                setattr(input_reader_builder.model_of(filled).clip.frame_settings, name, value)
        return filled


def _frames_of(reader: input_reader_pb2.InputReader) -> frame_settings_check.Found:
    try:
        return frames_of_files(match_files(reader.tf_record_input_reader.input_path))
    except UserError:  # none is there, which is for the run to say that reads them
        return []
