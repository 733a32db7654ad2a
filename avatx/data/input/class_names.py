"""Do records call their classes as the label map does? Ids do not tell a map in another order."""

from collections.abc import Sequence

import tensorflow as tf

from avatx.data.annotations.label_map import read_label_map
from avatx.data.records.input_errors import check


class ClassNames:
    """The names of a label map, to compare those of records with.

    Args:
      label_map_path: pbtxt; empty: nothing is compared.
      num_classes: C, the largest class id.

    Raises:
      UserError: the label map cannot be read.
    """

    def __init__(self, label_map_path: str, num_classes: int):
        names = read_label_map(label_map_path).names if label_map_path else {}
        self._path = label_map_path
        self._names = [names.get(class_id, "") for class_id in range(num_classes + 1)]

    def check(self, record_name: Sequence, class_ids: tf.Tensor, names: tf.Tensor):
        """An op that fails where a record and the label map name a class differently.

        A class without a name in either is not compared.

        Args:
          record_name: parts of a message, see `input_errors.check`.
          class_ids: [R] int64; those beyond the label map are for others to refuse.
          names: [R] string, or [0] of a record without names.
        """
        count = tf.minimum(tf.size(class_ids), tf.size(names))
        class_ids, names = class_ids[:count], names[:count]
        known = (class_ids >= 1) & (class_ids < len(self._names))
        expected = tf.gather(self._names, tf.where(known, class_ids, 0))
        wrong = (names != expected) & (names != "") & (expected != "")

        def first(values: tf.Tensor, filler) -> tf.Tensor:
            return tf.concat([tf.boolean_mask(values, wrong), [filler]], axis=0)[0]

        return check(
            ~tf.reduce_any(wrong),
            [
                *record_name,
                " calls class ",
                first(class_ids, 0),
                " '",
                first(names, ""),
                f"' and {self._path} '",
                first(expected, ""),
                "'; expected the label map that the "
                "records were made with: set label_map_path to it, or write the records again",
            ],
        )
