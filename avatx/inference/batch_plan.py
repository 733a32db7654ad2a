"""How the videos of a batch are detected in, and fingerprints of all that a result is made from."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from avatx.data.video.frame_settings import FrameSettings
from avatx.data.video.video_folder import identity
from avatx.inference.boxes_of_video import BoxesSettings

FORMAT = 1  # of results and their fingerprints; raise it when what is written changes


@dataclasses.dataclass(frozen=True)
class BatchSettings:
    """Arguments of `detect_video` that are those of every video of a batch."""

    score_threshold: float = 0.3
    every: float = 1.0
    frame_settings: FrameSettings = FrameSettings()
    batch_size: int = 1
    groundtruth: str | None = None
    attention: bool = False
    boxes: BoxesSettings | None = None

    def of_detection(self) -> dict[str, Any]:
        """As keywords of `detect_video`."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            **self.of_detection(),
            "frame_settings": self.frame_settings.to_dict(),
            "boxes": dataclasses.asdict(self.boxes) if self.boxes else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "BatchSettings":
        """`to_dict` backwards."""
        frame_settings = FrameSettings.from_dict(values["frame_settings"])
        boxes = BoxesSettings(**values["boxes"]) if values.get("boxes") else None
        return cls(**{**values, "frame_settings": frame_settings, "boxes": boxes})


def model_fingerprint(saved_model: str) -> str:
    """Of a SavedModel's graph and weights; a copy of it has the same.

    Of the weights their index is read, which holds a checksum of each.
    """
    digest = hashlib.sha256()
    for where, _, names in sorted(tf.io.gfile.walk(saved_model)):
        for name in sorted(names):
            path = os.path.join(where, name)
            digest.update(f"{name} {tf.io.gfile.stat(path).length}\n".encode())
            if name == "saved_model.pb" or name.endswith(".index"):
                with tf.io.gfile.GFile(path, "rb") as file:
                    digest.update(file.read())
    return digest.hexdigest()


def video_fingerprint(video: str, name: str, model: str, settings: BatchSettings) -> str | None:
    """Changes when anything does that the video's result is made from.

    None where nothing tells a changed video from an unchanged one, as behind http://.
    """
    chosen = settings.to_dict()
    del chosen["batch_size"]  # changes what is computed at once, and not what
    try:
        groundtruth = identity(settings.groundtruth) if settings.groundtruth else None
        facts = [FORMAT, video, identity(video), name, model, chosen, groundtruth]
        if settings.boxes:
            facts.append(identity(settings.boxes.path))
        else:
            del chosen["boxes"]  # results of before there were any stay valid
    except (OSError, ValueError, tf.errors.OpError):
        return None
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
