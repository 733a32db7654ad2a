"""PreprocessingStep -> avatx.data.input.augmentation."""

from avatx.builders.options import looked_up, options_from
from avatx.data.input.augmentation import Augmentation
from avatx.protos import preprocessor_pb2

# Name in the config -> a frozen dataclass with the message's fields that is an `Augmentation`.
AUGMENTATIONS = {
    "random_horizontal_flip": "avatx.data.input.augmentation.RandomHorizontalFlip",
    "random_crop_image": "avatx.data.input.augmentation.RandomCropImage",
    "random_color": "avatx.data.input.augmentation.RandomColor",
}


def build(step: preprocessor_pb2.PreprocessingStep) -> Augmentation:
    """The augmentation that one element of `data_augmentation_options` describes.

    Raises:
      ValueError: an empty or unknown step.
    """
    name = step.WhichOneof("preprocessing_step")
    kind = looked_up(AUGMENTATIONS, name, "preprocessing_step")
    return options_from(getattr(step, name), kind)
