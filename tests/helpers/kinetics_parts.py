"""Small parts for `avatx.kinetics`: a person detector that finds bright boxes, a narrow I3D."""

import numpy as np
import tensorflow as tf

from avatx.trunks.i3d import I3DClassifier

FRAMES = 9
NAMES = {1: "sit", 2: "stand", 3: "walk", 4: "run"}


def make_classifier(depth_multiplier=0.05) -> I3DClassifier:
    tf.random.set_seed(1)
    classifier = I3DClassifier(len(NAMES), depth_multiplier=depth_multiplier)
    classifier.build([1, None, None, None, 3])
    return classifier


def clips_with_people(boxes, height=48, width=64) -> np.ndarray:
    """[1, FRAMES, H, W, 3] uint8: noise, in whose middle frame each (top, left, bottom, right) has
    a red of its own, the first the brightest."""
    clips = np.random.default_rng(3).integers(0, 100, [1, FRAMES, height, width, 3], np.uint8)
    for number, (top, left, bottom, right) in enumerate(boxes):
        clips[0, FRAMES // 2, top:bottom, left:right, 0] = 255 - number
    return clips


def serve(image):
    """Object Detection API's signature: the boxes of the reds 255 and 254, a dog and padding."""
    size = tf.cast(tf.shape(image)[1:3], tf.float32)

    def box(red):
        places = tf.where(image[0, :, :, 0] == red)
        some = tf.shape(places)[0] > 0
        places = tf.cond(some, lambda: places, lambda: tf.zeros([1, 2], tf.int64))
        low = tf.cast(tf.reduce_min(places, axis=0), tf.float32)
        high = tf.cast(tf.reduce_max(places, axis=0) + 1, tf.float32)
        corners = tf.concat([low / size, high / size], axis=0)
        return corners, tf.where(some, 0.9, 0.0)

    (first, sure), (second, less) = box(255), box(254)
    whole = tf.constant([0.0, 0.0, 1.0, 1.0])
    return {
        "detection_boxes": tf.stack([first, second, whole, whole])[tf.newaxis],
        "detection_scores": tf.stack([sure, less * 0.9, 0.8, 1.0])[tf.newaxis],
        "detection_classes": tf.constant([[1.0, 1.0, 18.0, 1.0]]),
        "num_detections": tf.constant([3.0]),
    }


def save_person_detector(path: str, dtype=tf.float32, table: bool = False) -> str:
    """`serve` as a SavedModel; boxes and scores of a `dtype`, class ids perhaps from a table."""
    module = tf.Module()
    if table:
        ids = tf.lookup.KeyValueTensorInitializer(["person"], [1], value_dtype=tf.int64)
        module.table = tf.lookup.StaticHashTable(ids, -1)

    def function(image):
        found = serve(image)
        for name in ("detection_boxes", "detection_scores"):
            found[name] = tf.cast(found[name], dtype)
        if table:
            names = tf.constant([["person", "person", "dog", "person"]])
            found["detection_classes"] = module.table.lookup(names)
        return found

    signature = tf.TensorSpec([1, None, None, 3], tf.uint8, name="image")
    function = tf.function(function, input_signature=[signature], autograph=False)
    tf.saved_model.save(module, path, signatures={"serving_default": function})
    return path


class FindBright:
    """`serve` as a SavedModel's signature is called."""

    variables = ()

    def __call__(self, image):
        return serve(image)
