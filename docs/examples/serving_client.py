"""Asks TensorFlow Serving who is in a video at one moment, and what they do.

    python docs/examples/serving_client.py --url http://localhost:8501 --video film.mp4 --time 3 \
        --num_frames 64 --frame_rate 25 --label_map EXPORT/1/assets.extra/label_map.pbtxt
    python docs/examples/serving_client.py --grpc localhost:8500 --video film.mp4 --time 3 ...

It needs neither avatx nor TensorFlow, so it can be copied: PyAV and Pillow, and for gRPC
tensorflow-serving-api, which brings TensorFlow. A clip travels as JPEG frames, to the signature
serving_jpeg: some 1 MB where an array of 64 x 400 x 500 pixels is 38 MB.
"""

import argparse
import base64
import contextlib
import http.client
import io
import json
import math
import re
import struct
import sys
import urllib.error
import urllib.request

SIGNATURE = "serving_jpeg"
TAKES = f"the signature {SIGNATURE} takes encoded_frames: string [B, T], JPEG"
OUTPUTS = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")


class ServingError(Exception):
    """What went wrong, in one line that names the signature."""


def read_clip(video, time, num_frames, frame_rate, shorter_side=400):
    """JPEG frames around a moment, each the one shown nearest to its time; the first and last frame
    stand in for what lies outside the video.

    Args:
      video: whatever PyAV opens.
      time: seconds from the first frame.
      num_frames: of the clip; frame i is at time + (i - num_frames / 2) / frame_rate.
      frame_rate: frames a second of the clip.
      shorter_side: pixels that larger frames are shrunk to, as for training.
    """
    try:
        import av
        import PIL.Image  # noqa: F401  which frames become
    except ImportError as error:
        raise ServingError(f"{error}; pip install av pillow") from error
    if not (num_frames > 0 and 0 < frame_rate < math.inf and 0 <= time < math.inf):
        raise ServingError(
            f"time {time:g}, num_frames {num_frames}, frame_rate {frame_rate:g}: "
            "expected 0 or more, and of the last two above 0"
        )
    wanted = [time + (i - num_frames / 2) / frame_rate for i in range(num_frames)]
    found = [None] * num_frames
    first, seconds, shown = None, 0.0, 0.0
    # A title or tag may be in any encoding. PyAV 19 takes any.
    tags = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
    try:
        with av.open(video, **tags) as container:
            rate = float(container.streams.video[0].average_rate or 25)
            for number, frame in enumerate(container.decode(video=0)):
                # A bare stream, as .h264, has no times: its frames follow each other evenly.
                time_of_frame = number / rate if frame.time is None else frame.time
                first = time_of_frame if first is None else first
                shown = max(shown, time_of_frame - first - seconds)  # longest that a frame is
                seconds, jpeg = time_of_frame - first, None
                for i, moment in enumerate(wanted):
                    distance = abs(seconds - moment)
                    if found[i] is None or distance < found[i][0] - 1e-6:
                        jpeg = jpeg or encode_jpeg(upright(frame), shorter_side)
                        found[i] = (distance, jpeg)
                if seconds > wanted[-1] + 1 / frame_rate:
                    break
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise ServingError(f"{video}: cannot be read as video ({error})") from error
    if found[0] is None:
        raise ServingError(f"{video}: no frame of it can be decoded")
    if time > seconds + max(shown, 1 / frame_rate):
        raise ServingError(f"{video}: its last frame is at {seconds:g} s, before time {time:g}")
    return [jpeg for _, jpeg in found]


def upright(frame):
    """A frame as a Pillow image, turned and mirrored as a telephone's video asks for."""
    import PIL.Image
    from av.sidedata.sidedata import Type

    image = frame.to_image()
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return image
    # A point (x, y) is shown at (a x + c y, b x + d y), y downwards.
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    mirrored = a * d - b * c < 0
    clockwise = math.degrees(math.atan2(b, -a if mirrored else a))
    if rotation := round(-clockwise / 90) * 90 % 360:
        image = image.rotate(rotation, expand=True)
    return image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image


def encode_jpeg(image, shorter_side=400, quality=90):
    """A Pillow image as JPEG, its shorter side at most so many pixels."""
    shrink = shorter_side / min(image.size)
    if shrink < 1:
        image = image.resize([round(length * shrink) for length in image.size])
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def checked(clips):
    """The clips, once they are what the signature takes."""
    lengths = {len(clip) for clip in clips}
    if len(lengths) != 1 or not lengths.pop():
        raise ServingError(f"{TAKES}: clips of {sorted(map(len, clips))} frames are no such array")
    for clip in clips:
        for frame in clip:
            if not isinstance(frame, bytes) or not frame.startswith(b"\xff\xd8"):
                raise ServingError(f"{TAKES}: a frame is {type(frame).__name__} and no JPEG")
    return clips


def predict_by_rest(url, model, clips, timeout=60):
    """Detections of clips [B][T] of JPEG bytes: a dictionary of lists for each clip."""
    instances = [
        [{"b64": base64.b64encode(frame).decode()} for frame in clip] for clip in checked(clips)
    ]
    try:
        request = urllib.request.Request(
            f"{url.rstrip('/')}/v1/models/{model}:predict",
            json.dumps({"signature_name": SIGNATURE, "instances": instances}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return json.load(response)["predictions"]
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = json.loads(text)["error"]
        text = " ".join(text.split())[:300]
        raise ServingError(f"{url}: model {model}: {text} ({error.code}); {TAKES}") from error
    except OSError as error:
        raise ServingError(f"{url}: no server answers ({error})") from error
    except (http.client.HTTPException, ValueError, KeyError) as error:  # another port, no http://
        raise ServingError(f"{url}: is no REST interface of a server ({error})") from error


def predict_by_grpc(address, model, clips, timeout=60):
    """As `predict_by_rest`."""
    try:
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
    except ImportError as error:
        raise ServingError(f"{error}; pip install tensorflow-serving-api") from error

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = SIGNATURE
    request.inputs["encoded_frames"].CopyFrom(tf.make_tensor_proto(checked(clips), tf.string))
    try:
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            response = stub.Predict(request, timeout)
    except grpc.RpcError as error:
        text = " ".join(error.details().split())[:300]
        raise ServingError(f"{address}: model {model}: {text}; {TAKES}") from error
    arrays = {name: tf.make_ndarray(response.outputs[name]).tolist() for name in OUTPUTS}
    return [{name: arrays[name][i] for name in OUTPUTS} for i in range(len(clips))]


def read_label_map(path):
    """Class id to name, of a label map that avatx wrote."""
    try:
        with open(path, encoding="utf-8") as file:
            items = re.findall(r'name: "((?:\\.|[^"\\])*)"\s+id: (\d+)', file.read())
        # As a text of JSON, where control characters may stand as they are.
        return {int(number): json.loads(f'"{name}"', strict=False) for name, number in items}
    except (OSError, ValueError) as error:
        raise ServingError(f"{path}: cannot be read as a label map ({error})") from error


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    server = parser.add_mutually_exclusive_group(required=True)
    server.add_argument("--url", help="of the REST interface, http://HOST:8501")
    server.add_argument("--grpc", help="HOST:8500")
    parser.add_argument("--model", default="avatx", help="MODEL_NAME of the server (%(default)s)")
    parser.add_argument("--video", required=True)
    parser.add_argument("--time", type=float, default=0.0, help="seconds (default %(default)s)")
    parser.add_argument("--num_frames", type=int, required=True, help="of the model's clips")
    parser.add_argument("--frame_rate", type=float, required=True, help="of the model's clips")
    parser.add_argument("--label_map", help="names of the classes; without it, numbers")
    parser.add_argument("--score_threshold", type=float, default=0.3)
    arguments = parser.parse_args(argv)
    names = read_label_map(arguments.label_map) if arguments.label_map else {}
    clip = read_clip(arguments.video, arguments.time, arguments.num_frames, arguments.frame_rate)
    if arguments.url:
        (found,) = predict_by_rest(arguments.url, arguments.model, [clip])
    else:
        (found,) = predict_by_grpc(arguments.grpc, arguments.model, [clip])
    for i in range(int(found["num_detections"])):
        if found["detection_scores"][i] >= arguments.score_threshold:
            class_id = int(found["detection_classes"][i])
            box = " ".join(f"{value:.3f}" for value in found["detection_boxes"][i])
            print(f"{found['detection_scores'][i]:.3f}  {box}  {names.get(class_id, class_id)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ServingError as error:
        sys.exit(f"error: {error}")
