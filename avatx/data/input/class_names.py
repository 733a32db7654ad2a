"""Do records call their classes as the label map does? Ids do not tell a map in another order."""

from collections.abc import Sequence

import tensorflow as tf

from avatx.data.annotations.label_map import read_label_map
from avatx.data.records.graph_check import check, first_of, first_values, places, value_at


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
        self._listed = list(names.values())
        self._ids = list(names)

    def checks(self, record_name: Sequence, class_ids: tf.Tensor, names: tf.Tensor) -> list:
        """Ops that fail where a record and the label map name a class differently.

        A class without a name in either is not compared, unless its name is another's in the map.

        Args:
          record_name: parts of a message, see `graph_check.check`.
          class_ids: [R] int64; those beyond the label map are for others to refuse.
          names: [R] string, or [0] of a record without names.
        """
        count = tf.minimum(tf.size(class_ids), tf.size(names))
        class_ids, names = first_values(class_ids, count), first_values(names, count)
        known = (class_ids >= 1) & (class_ids < len(self._names))
        expected = tf.gather(self._names, tf.where(known, class_ids, 0))
        wrong = (names != expected) & (names != "") & (expected != "")

        at = first_of(places(wrong))
        remedy = (
            "; expected the label map that the records were made with: set label_map_path to it, "
            "or write the records again"
        )
        of_other = check(
            ~tf.reduce_any(wrong),
            [
                *record_name,
                " calls class ",
                value_at(class_ids, at, 0),
                " '",
                value_at(names, at, ""),
                f"' and {self._path} '",
                value_at(expected, at, ""),
                f"'{remedy}",
            ],
        )
        if not self._listed:
            return [of_other]
        # Of a class that the map lacks: does it have the name under another id?
        is_listed = tf.constant(self._listed) == names[:, tf.newaxis]  # [R, classes]
        wrong = (expected == "") & (names != "") & tf.reduce_any(is_listed, axis=1)
        at = first_of(places(wrong))
        listed_id = tf.gather(self._ids, tf.argmax(tf.cast(is_listed, tf.int32), axis=1))
        of_none = check(
            ~tf.reduce_any(wrong),
            [
                *record_name,
                " calls class ",
                value_at(class_ids, at, 0),
                " '",
                value_at(names, at, ""),
                f"', which in {self._path} is class ",
                value_at(listed_id, at, 0),
                remedy,
            ],
        )
        return [of_other, of_none]
