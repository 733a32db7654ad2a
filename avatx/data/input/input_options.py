"""Where records are and how they are read."""

import dataclasses

from avatx.errors import UserError


@dataclasses.dataclass(frozen=True)
class ExternalBoxesOptions:
    """Boxes of people by somebody else's detector: `external_boxes` of pipeline.config.

    Attributes:
      input_path: files or patterns: AVA's csv, COCO's JSON or MOT Challenge's txt.
      coco_images_path: the file with the images of COCO results; empty for other formats.
      score_threshold: boxes of a lower score are left out.
      max_number_of_boxes: of each keyframe those of highest score are kept.
    """

    input_path: tuple[str, ...]
    coco_images_path: str
    score_threshold: float
    max_number_of_boxes: int


@dataclasses.dataclass(frozen=True)
class InputOptions:
    """Where records are and how they are read.

    Attributes:
      input_paths: file patterns; local, s3://, gs:// or http(s)://.
      num_classes: C, the largest class id.
      label_map_path: with which the names that records give their classes are compared; empty:
        they are not.
      max_boxes: G, to which groundtruth is padded. Of more people the first G are kept, and
        training says so on stderr; evaluation refuses, for it scores against these boxes.
      shuffle: training only; evaluation keeps the order of files, records and keyframes.
      shuffle_buffer_size: encoded clips that the random order draws from.
      open_segments: records that are open at once, so that neighbouring keyframes of a video
        come apart.
      num_readers: files read at once.
      drop_keyframes_without_people: training only; evaluation always keeps them.
      seed: of everything random.
      num_parallel_decodes: clips decoded at once; 0 leaves it to tf.data.
      max_skipped_share: of records, and of clips, that training may leave out because they cannot
        be used; evaluation leaves out none.
      external_boxes: whose boxes go with the clips; None for nobody's.
    """

    input_paths: tuple[str, ...]
    num_classes: int
    label_map_path: str
    max_boxes: int
    shuffle: bool
    shuffle_buffer_size: int
    open_segments: int
    num_readers: int
    drop_keyframes_without_people: bool
    seed: int
    num_parallel_decodes: int
    max_skipped_share: float
    external_boxes: ExternalBoxesOptions | None = None

    def __post_init__(self):
        for name in (
            "num_classes",
            "max_boxes",
            "shuffle_buffer_size",
            "open_segments",
            "num_readers",
        ):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)}; expected at least 1")
