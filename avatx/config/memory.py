"""Bytes of host memory that the numbers of a pipeline.config ask for, before any is taken.

What is counted is what `avatx.data.input` holds: batches of decoded clips, of which some are ready
ahead, the encoded clips among which the random order draws, and the records that are open for them
(of ten seconds, as `create_ava_tfrecord.py` makes them). A network's own memory is not.
"""

from typing import NamedTuple

from avatx.config import schema

MAX_BATCH_BYTES = 1 << 40  # of the clips of one step, over all replicas: 1 TiB
_RECORD_SECONDS = 10.0  # from a record's first keyframe to its last
_BATCHES = 3  # one in use and two that are ready, see avatx/data/input/input_pipeline.py
_ENCODED_BYTES_A_PIXEL = 0.26  # a JPEG of quality 90; 55 kB for 534 x 400, measured on PETS09


class Estimate(NamedTuple):
    """Of training, in bytes."""

    clip: int  # decoded
    batch: int
    batches: int  # that are in memory at once
    shuffle_buffer: int  # encoded, frames as large as the clip's
    open_records: int  # likewise; of a detector

    @property
    def total(self) -> int:
        return self.batches + self.shuffle_buffer + self.open_records


def estimate(config, batch_size: int | None = None) -> Estimate | None:
    """What training takes; None where the model's clip or the batch is not given.

    Args:
      config: a PipelineConfig.
      batch_size: another one than the training's.
    """
    kind = config.model.WhichOneof("model")
    if kind is None or not config.HasField("train_config"):
        return None
    model = getattr(config.model, kind)
    size = model.image_resizer.fixed_shape_resizer
    channels = 5 if model.trunk.WhichOneof("trunk_oneof") == "two_stream" else 3
    pixels = model.clip.num_frames * size.height * size.width
    batch = (batch_size or config.train_config.batch_size) * pixels * channels
    reader = config.train_input_reader
    encoded_frame = size.height * size.width * _ENCODED_BYTES_A_PIXEL * (channels / 3)
    shuffle = int(reader.shuffle_buffer_size * model.clip.num_frames * encoded_frame)
    records = 0
    if kind == "action_faster_rcnn":  # each parsed and as it was read
        frames = model.clip.num_frames + _RECORD_SECONDS * model.clip.frame_rate
        records = int(2 * (reader.open_segments + reader.num_readers) * frames * encoded_frame)
    return Estimate(pixels * channels, batch, batch * _BATCHES, shuffle, records)


def problems(config):
    """Yields (where to look, what is wrong) of batches that no machine has memory for."""
    for name, message in schema.set_messages(config):
        if name in ("train_config", "eval_config"):
            found = estimate(config, message.batch_size)
            if found is not None and found.batch > MAX_BATCH_BYTES:
                yield (
                    f"{name}.batch_size",
                    f"{name}.batch_size is {message.batch_size} and a clip of the model has "
                    f"{in_words(found.clip)}: a batch of {in_words(found.batch)}, expected "
                    f"{in_words(MAX_BATCH_BYTES)} at most",
                )


def in_words(number: float) -> str:
    """ "31 MB"; powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.4g} TB"
