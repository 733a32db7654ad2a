"""A small result of detection with a video, and a detector that knows where it looked."""

import json

import numpy as np

from avatx.core.cell_view import CellView
from avatx.data.video.video_writer import VideoWriter
from avatx.inference.detector import ClipAttention, ClipDetections

HEIGHT, WIDTH = 96, 160
CLASSES = {
    "1": "bend/bow (at the waist)",
    "17": "carry/hold (an object)",
    "79": "talk to (e.g., self, a person)",
}
LEFT, RIGHT = [0.25, 0.1, 0.9, 0.3], [0.2, 0.6, 0.95, 0.85]


def write_result(folder, num_keyframes=5, every=0.5, num_people=2, **facts):
    """detections.json and film.mp4 in `folder`: one person walks right, the other stays.

    With more people, the others lie on a grid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    video = folder / "film.mp4"
    with VideoWriter(str(video), 8, HEIGHT, WIDTH, preset="ultrafast") as writer:
        for i in range(round(8 * every * num_keyframes)):
            frame = np.full([HEIGHT, WIDTH, 3], 90, np.uint8)
            frame[:, (3 * i) % WIDTH :][:, :10] = (200, 60, 20)
            writer.write(frame)
    keyframes = [
        {"timestamp": every * k, "people": [_person(n, k) for n in range(num_people)]}
        for k in range(num_keyframes)
    ]
    content = {
        "video": str(video),
        "video_id": "film",
        "saved_model": "nowhere",
        "score_threshold": 0.1,
        "every": every,
        "height": HEIGHT,
        "width": WIDTH,
        "notes": [],
        **facts,
        "classes": CLASSES,
        "keyframes": keyframes,
    }
    (folder / "detections.json").write_text(json.dumps(content))
    return folder


def _person(number, keyframe):
    if number == 0:
        shift = 0.02 * keyframe
        box = [LEFT[0], LEFT[1] + shift, LEFT[2], LEFT[3] + shift]
        actions = [(1, 0.9), (17, 0.2 + 0.1 * (keyframe % 5))]
    elif number == 1:
        box, actions = RIGHT, [(79, 0.6)]
    else:
        row, column = divmod(number, 10)
        box = [0.05 * row, 0.1 * column, 0.05 * row + 0.04, 0.1 * column + 0.05]
        actions = [(17, 0.3)]
    return {
        "track": number + 1,
        "box": box,
        "actions": [{"id": i, "name": CLASSES[str(i)], "score": score} for i, score in actions],
    }


class LookingDetector:
    """Finds both people at every keyframe; 2 layers of 2 heads, 4 x 3 x 5 cells.

    Unit u of person p attends in moment t to the one cell t + u + 7 p of the 15, and to
    nothing in the last moment.
    """

    num_frames, frame_rate, has_flow, has_attention = 8, 8.0, False, True
    needs_boxes = False
    frame_settings: dict = {}

    # Every second frame, the middles of three rows, and the right ends of five columns.
    cells = CellView.of([[1, 15.5, 31], [2, 32, 32], [8, HEIGHT, WIDTH]])

    def __init__(self, keys=True):
        self.keys = np.random.default_rng(3).normal(size=[2, 2, 4, 3, 5, 6]) if keys else None
        self.looks = 0

    def detect_with_attention(self, clips):
        (clip,) = clips
        assert clip.shape == (8, HEIGHT, WIDTH, 3)
        keyframe, self.looks = self.looks, self.looks + 1
        shift = 0.02 * keyframe
        boxes = np.array([RIGHT, [LEFT[0], LEFT[1] + shift, LEFT[2], LEFT[3] + shift]], np.float32)
        attention = np.zeros([2, 2, 2, 4, 15], np.float32)
        for person in range(2):
            for unit in range(4):
                for moment in range(3):
                    cell = moment + unit + 7 * person
                    attention[person, unit // 2, unit % 2, moment, cell] = (moment + 1) / 6
        detections = ClipDetections(boxes, np.array([79, 1]), np.array([0.6, 0.9]))
        maps = attention.reshape(2, 2, 2, 4, 3, 5)
        return [(detections, ClipAttention(maps, self.cells, self.keys))]
