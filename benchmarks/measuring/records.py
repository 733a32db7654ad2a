"""Records of smooth coloured noise, whose JPEGs are about as large as those of films."""

import numpy as np

FRAME_RATE = 25.0


def write_records(
    path: str, records: int, keyframes: int, height: int, width: int, num_frames: int
) -> None:
    """Writes a TFRecord file of segments with keyframes a second apart and two people in each.

    Args:
      path: file to write.
      records: how many segments.
      keyframes: in each.
      height: of the frames, pixels.
      width: of the frames, pixels.
      num_frames: of the clips that will be cut; each segment has half of it on both sides.
    """
    import tensorflow as tf

    from avatx.data.records import record

    rng = np.random.default_rng(0)
    # A few pictures, used again and again: a decoder does the same work for each.
    coarse = rng.integers(0, 255, (16, height // 8 + 1, width // 8 + 1, 3)).astype(np.float32)
    smooth = tf.image.resize(coarse, (height, width), "bicubic").numpy()
    noisy = smooth + rng.normal(0, 6, smooth.shape)
    jpegs = [
        tf.io.encode_jpeg(picture, quality=90).numpy()
        for picture in np.clip(noisy, 0, 255).astype(np.uint8)
    ]
    margin = int(num_frames / FRAME_RATE / 2 * 1e6) + 1_000_000
    second = 1_000_000
    boxes = np.array([[0.1, 0.1, 0.8, 0.5], [0.2, 0.5, 0.9, 0.9]], np.float32)
    with tf.io.TFRecordWriter(path) as writer:
        for number in range(records):
            times = np.arange(-margin, keyframes * second + margin, int(1e6 / FRAME_RATE))
            segment = record.Segment(
                video_id=f"video_{number}",
                start=int(times[0]),
                end=int(times[-1]),
                height=height,
                width=width,
                frame_rate=FRAME_RATE,
                timestamps=times,
                frames=[jpegs[i % len(jpegs)] for i in range(len(times))],
                keyframes=[
                    record.Keyframe(
                        timestamp=at * second,
                        boxes=boxes,
                        class_ids=np.array([1, 2], np.int64),
                        class_names=["class 1", "class 2"],
                        person_ids=np.array([0, 1], np.int64),
                    )
                    for at in range(keyframes)
                ],
            )
            writer.write(record.encode(segment))
