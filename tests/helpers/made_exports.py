"""Exports of annotation tools, made in a line, and what is imported of them."""

import json

import numpy as np

from avatx.data.video.video_writer import VideoWriter
from avatx.importing.read import read_export

SEQINFO = """[Sequence]
name=MOT16-99
imDir=img1
frameRate=5
seqLength=11
imWidth=100
imHeight=50
imExt=.jpg
"""


def write_video(path, size, frame_rate):
    height, width = size
    with VideoWriter(str(path), frame_rate, height, width) as writer:
        for _ in range(3):
            writer.write(np.zeros((height, width, 3), np.uint8))


def of_cvat(kept, **fields):
    """A CVAT task at 10 frames a second, with a box of somebody who walks at each of `kept`."""
    texts = {"size": 60, "start_frame": 0, "stop_frame": 59, "frame_filter": "", **fields}
    boxes = "".join(
        f'<box frame="{frame}" outside="0" xtl="5" ytl="5" xbr="25" ybr="40">'
        '<attribute name="action">walk</attribute></box>'
        for frame in kept
    )
    task = "".join(f"<{name}>{text}</{name}>" for name, text in texts.items())
    return (
        f"<task><id>1</id>{task}<source>a.mp4</source><original_size><width>64</width>"
        "<height>48</height></original_size></task>",
        f'<track id="0" label="person" task_id="1">{boxes}</track>',
    )


def imported_cvat(tmp_path, parts, **arguments):
    path = tmp_path / "annotations.xml"
    metas, tracks = zip(*parts, strict=True)
    label = (
        "<label><name>person</name><attributes><attribute><name>action</name>"
        "<input_type>select</input_type></attribute></attributes></label>"
    )
    meta = f"<meta>{''.join(metas)}<labels>{label}</labels></meta>"
    path.write_text(f"<annotations>{meta}{''.join(tracks)}</annotations>")
    return read_export(str(path), **{"frame_rate": 10, **arguments})


def of_coco(frames, rate, category="person", listed=(), **attributes):
    """A COCO file with a person at each of `frames`; `listed` are frames without."""
    attributes = attributes or {"action": "walk"}
    return {
        "videos": [{"id": 1, "name": "a", "fps": rate}],
        "categories": [{"id": 1, "name": category}],
        "images": [
            {"id": frame, "file_name": f"a/frame_{frame:06d}.jpg", "width": 64, "height": 48,
             "video_id": 1}
            for frame in sorted({*frames, *listed})
        ],
        "annotations": [
            {"id": frame, "image_id": frame, "category_id": 1, "bbox": [5, 5, 20, 30],
             "attributes": attributes}
            for frame in frames
        ],
    }  # fmt: skip


def imported_coco(tmp_path, data, **arguments):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(data))
    return read_export(str(path), **arguments)


def imported_via(tmp_path, moments, videos):
    """A VIA project with somebody who walks at each of `moments`, seconds of a.mp4."""
    data = {
        "project": {},
        "attribute": {"1": {"aname": "action", "type": 2, "options": {"0": "walk"}}},
        "file": {"1": {"fname": "a.mp4"}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {
            str(moment): {"vid": "1", "z": [moment], "xy": [2, 5, 5, 20, 30], "av": {"1": "0"}}
            for moment in moments
        },
    }
    path = tmp_path / "via.json"
    path.write_text(json.dumps(data))
    return read_export(str(path), videos=videos)
