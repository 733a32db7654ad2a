"""PreprocessingStep -> avatx.data.input.augmentation."""

from avatx.data.input import augmentation
from avatx.protos import preprocessor_pb2


def build(step: preprocessor_pb2.PreprocessingStep) -> augmentation.Augmentation:
    """The augmentation that one element of `data_augmentation_options` describes.

    Raises:
      ValueError: an empty step.
    """
    kind = step.WhichOneof("preprocessing_step")
    if kind == "random_horizontal_flip":
        probability = step.random_horizontal_flip.probability
        return augmentation.RandomHorizontalFlip(probability=probability)
    if kind == "random_crop_image":
        crop = step.random_crop_image
        return augmentation.RandomCropImage(
            min_aspect_ratio=crop.min_aspect_ratio,
            max_aspect_ratio=crop.max_aspect_ratio,
            min_area=crop.min_area,
            max_area=crop.max_area,
            overlap_threshold=crop.overlap_threshold,
            random_coef=crop.random_coef,
        )
    if kind == "random_color":
        color = step.random_color
        return augmentation.RandomColor(
            max_brightness_delta=color.max_brightness_delta,
            contrast=color.contrast,
            saturation=color.saturation,
        )
    raise ValueError(f"unknown preprocessing_step: {kind}")
