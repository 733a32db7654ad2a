"""docs/examples/serving_client.py against servers in this process, by REST and by gRPC."""

import concurrent.futures
import importlib.util
import io
import socket
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from fake_detection_model import FakeDetectionModel
from PIL import Image
from rest_server import rest_server

from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.data.video.video_reader import VideoReader
from avatx.data.video.video_writer import VideoWriter
from avatx.errors import UserError
from avatx.export import saved_model
from avatx.inference.detector import Detector

CLASS_NAMES = {1: "bend", 2: 'say "hello"', 4: "watch (a person)"}
REAL_FILES = Path(__file__).parents[3] / "shared" / "data" / "real_files"
CLIENT = Path(__file__).parents[2] / "docs" / "examples" / "serving_client.py"


@pytest.fixture(scope="module")
def client():
    spec = importlib.util.spec_from_file_location("serving_client", CLIENT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("served") / "1")
    saved_model.export(FakeDetectionModel(), 8, 12.5, CLASS_NAMES, path)
    return path, tf.saved_model.load(path)


@pytest.fixture(scope="module")
def url(loaded):
    with rest_server(loaded[1].signatures, "avatx") as address:
        yield address


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Black, and white from 1 s on."""
    path = tmp_path_factory.mktemp("video") / "film.mp4"
    with VideoWriter(str(path), 25, 90, 122) as writer:
        for i in range(50):
            writer.write(np.full([90, 122, 3], 0 if i < 25 else 255, np.uint8))
    return str(path)


def arguments_of(video, tmp_path, time):
    write_label_map(tmp_path / "labels.pbtxt", LabelMap(CLASS_NAMES))
    return [
        *("--video", video, "--time", str(time), "--num_frames", "8", "--frame_rate", "12.5"),
        *("--label_map", str(tmp_path / "labels.pbtxt")),
    ]


def test_a_clip_by_rest(client, url, video, tmp_path, capsys):
    assert client.main(["--url", url, *arguments_of(video, tmp_path, 1.5)]) == 0
    # All frames are white: sigmoid(2 + 2), sigmoid(2 + 1), sigmoid(2 - 1).
    assert capsys.readouterr().out.splitlines() == [
        "0.982  0.200 0.600 0.800 0.900  bend",
        '0.953  0.100 0.100 0.900 0.400  say "hello"',
        "0.731  0.100 0.100 0.900 0.400  watch (a person)",
    ]
    # All black: sigmoid(-2 + 2) = 0.5 alone is above 0.3.
    assert client.main(["--url", url, *arguments_of(video, tmp_path, 0.4)]) == 0
    assert capsys.readouterr().out.splitlines() == ["0.500  0.200 0.600 0.800 0.900  bend"]


def test_a_clip_s_frames_are_those_nearest_in_time(client, video):
    values = []
    # Frame i is at 1 + (i - 4) / 12.5 s: 0.68, 0.76, 0.84, 0.92, then 1.0, 1.08, ...
    for jpeg in client.read_clip(video, 1.0, 8, 12.5, shorter_side=45):
        image = Image.open(io.BytesIO(jpeg))
        assert (image.format, image.size) == ("JPEG", (61, 45))
        values.append(round(np.asarray(image).mean() / 255))
    assert values == [0, 0, 0, 0, 1, 1, 1, 1]
    assert len(client.read_clip(video, 2.0, 3, 12.5)) == 3


def as_avatx_reads(path, times):
    """The frames [H, W, 3] that avatx itself shows at these seconds."""
    with VideoReader(path) as reader:
        frames = list(reader.frames(0, 1e3))
    return [min(frames, key=lambda one: abs(one[0] - time))[1] for time in times]


def test_a_telephone_s_video_is_turned_and_mirrored_as_avatx_does_it(client, tmp_path):
    path = tmp_path / "film.mp4"
    with VideoWriter(str(path), 25, 90, 122) as writer:
        for _ in range(10):  # white at the left, grey at the top
            picture = np.zeros([90, 122, 3], np.uint8)
            picture[:20] = 128
            picture[:, :40] = 255
            writer.write(picture)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    one = 1 << 16
    for a, b, c, d in (
        *((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)),  # turned
        *((-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)),  # and mirrored
    ):
        turn = [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30]
        data[matrix : matrix + 36] = np.array(turn, ">i4").tobytes()
        path.write_bytes(data)
        (expected,) = as_avatx_reads(path, [0.2])
        (jpeg,) = client.read_clip(str(path), 0.2, 1, 25)
        found = np.asarray(Image.open(io.BytesIO(jpeg)), np.int16)
        assert found.shape == expected.shape
        assert np.abs(found - expected).mean() < 5


@pytest.mark.skipif(not REAL_FILES.is_dir(), reason="there is no ../shared/data/real_files")
@pytest.mark.parametrize("name", ["raw.h264", "latin1.avi"])
def test_files_that_avatx_reads(client, name):
    path = str(REAL_FILES / name)
    times = [0.2 + (i - 4) / 8 for i in range(8)]
    for jpeg, expected in zip(
        client.read_clip(path, 0.2, 8, 8), as_avatx_reads(path, times), strict=True
    ):
        found = np.asarray(Image.open(io.BytesIO(jpeg)), np.int16)
        assert found.shape == expected.shape
        assert np.abs(found - expected).mean() < 5


def test_every_name_that_a_label_map_may_have(client, tmp_path):
    names = {1: "a\ttab", 2: 'say "hello"', 3: "c:\\new", 5: "gießen", 7: "<b>", 9: "it's"}
    write_label_map(tmp_path / "labels.pbtxt", LabelMap(names))
    assert client.read_label_map(tmp_path / "labels.pbtxt") == names


def test_a_mistake_of_the_command_line_is_one_line(client, video, tmp_path, monkeypatch):
    (tmp_path / "zero.mp4").write_bytes(b"")
    (tmp_path / "sound.mp4").mkdir()
    given = {
        "--video": video,
        "--num_frames": "8",
        "--frame_rate": "12.5",
        "--url": "http://[::1]:9",
    }

    def refused(changes):
        pairs = {**given, **changes}.items()
        with pytest.raises(client.ServingError) as error:
            client.main([word for pair in pairs if pair[1] for word in pair])
        assert "\n" not in str(error.value)
        return str(error.value)

    for name in ("absent.mp4", "zero.mp4", "sound.mp4"):
        path = str(tmp_path / name)
        assert refused({"--video": path}).startswith(f"{path}: cannot be read as video (")
    for changes in (
        {"--frame_rate": "0"},
        {"--frame_rate": "inf"},
        {"--frame_rate": "nan"},
        {"--num_frames": "0"},
        {"--time": "-1"},
        {"--time": "nan"},
    ):
        assert "expected 0 or more" in refused(changes), changes
    assert refused({"--time": "300"}) == f"{video}: its last frame is at 1.96 s, before time 300"
    for path in (str(tmp_path / "absent.pbtxt"), video, str(tmp_path)):
        assert f"{path}: cannot be read as a label map (" in refused({"--label_map": path})
    for url in ("localhost:8501", "localhost", "http://a b"):
        assert refused({"--url": url}).startswith(f"{url}: ")
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    assert refused({"--url": None, "--grpc": "localhost:1"}).endswith(
        "; pip install tensorflow-serving-api"
    )
    monkeypatch.setitem(sys.modules, "av", None)
    assert refused({}).endswith("; pip install av pillow")


def test_what_is_no_rest_interface_is_one_line(client):
    white = client.encode_jpeg(Image.new("RGB", (30, 20), "white"))
    for answer in (
        b"\0\0\x06\x04 no HTTP\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n<html>",
        b"HTTP/1.0 200\r\n\r\n{}",
    ):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve(server=server, answer=answer):
                with server.accept()[0] as connection:
                    # All of the request: closed with some of it unread, a connection is reset.
                    while not connection.recv(1 << 16).endswith(b"]}"):
                        pass
                    connection.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            with pytest.raises(client.ServingError, match=f"^{url}: is no REST interface"):
                client.predict_by_rest(url, "avatx", [[white]])
            thread.join()


def test_several_clips_a_request(client, url, loaded):
    clips = [[client.encode_jpeg(Image.new("RGB", size, "white"))] * 3 for size in ((30, 20),) * 2]
    found = client.predict_by_rest(url, "avatx", clips)
    expected = loaded[1].signatures["serving_jpeg"](encoded_frames=tf.constant(clips))
    assert [one["num_detections"] for one in found] == [3, 3]
    for name, value in expected.items():
        np.testing.assert_allclose([one[name] for one in found], value, rtol=1e-6)


def test_mistakes_name_the_signature(client, url):
    takes = r"the signature serving_jpeg takes encoded_frames: string \[B, T\], JPEG"
    white = client.encode_jpeg(Image.new("RGB", (30, 20), "white"))
    for clips, words in [
        ([[np.zeros([2, 2, 3])]], "a frame is ndarray and no JPEG"),
        ([[b"GIF89a"]], "a frame is bytes and no JPEG"),
        ([[white], [white, white]], r"clips of \[1, 2\] frames"),
        ([], r"clips of \[\] frames"),
        ([[]], r"clips of \[0\] frames"),
    ]:
        with pytest.raises(client.ServingError, match=f"{takes}: {words}"):
            client.predict_by_rest(url, "avatx", clips)
    with pytest.raises(client.ServingError, match=f"model other: Servable not .*404.; {takes}"):
        client.predict_by_rest(url, "other", [[white]])
    with pytest.raises(client.ServingError, match=f"model avatx: .*400.; {takes}"):
        client.predict_by_rest(url, "avatx", [[white[:40]]])  # cut off
    with pytest.raises(client.ServingError, match="no server answers"):
        client.predict_by_rest("http://127.0.0.1:9", "avatx", [[white]])


@pytest.mark.parametrize(
    "signature, given, takes",
    [
        ("serving_default", np.zeros([8, 4, 4, 3], np.uint8), "clips_uint8_B_T_H_W_3"),
        ("serving_default", np.zeros([1, 8, 4, 4, 1], np.uint8), "clips_uint8_B_T_H_W_3"),
        ("serving_jpeg", np.array([b"a", b"b"]), "encoded_frames_string_B_T"),
        ("serving_jpeg", np.array([[[b"a", b"b"]]]), "encoded_frames_string_B_T"),
    ],
)
def test_an_export_itself_names_the_signature_of_a_wrong_shape(loaded, signature, given, takes):
    name = takes.partition("_uint8")[0].partition("_string")[0]
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        loaded[1].signatures[signature](**{name: tf.constant(given)})
    assert f"{signature}_takes_{takes}" in str(error.value)
    assert f"Shape of tensor {name} [{','.join(map(str, given.shape))}]" in str(error.value)


def test_arrays_that_the_detector_cannot_take_name_the_signature(loaded):
    detector = Detector(loaded[0])
    for clips in (
        np.zeros([8, 4, 4, 3], np.uint8),
        np.zeros([1, 8, 4, 4, 3], np.float32),
        np.zeros([1, 8, 4, 4, 5], np.uint8),
        np.zeros([1, 0, 4, 4, 3], np.uint8),
    ):
        with pytest.raises(
            UserError, match=r"^clips: .*; serving_default takes uint8 \[B, T, H, W, 3\]"
        ):
            detector.detect(clips)
    assert detector.detect(np.zeros([0, 8, 4, 4, 3], np.uint8)) == []


def test_a_clip_by_grpc(client, loaded, video, tmp_path, capsys):
    pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            if request.model_spec.name != "avatx":
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
            run = loaded[1].signatures[request.model_spec.signature_name]
            inputs = {
                name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()
            }
            response = predict_pb2.PredictResponse()
            for name, value in run(**inputs).items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        arguments = arguments_of(video, tmp_path, 1.5)
        assert client.main(["--grpc", address, *arguments]) == 0
        assert capsys.readouterr().out.splitlines()[0] == "0.982  0.200 0.600 0.800 0.900  bend"
        with pytest.raises(client.ServingError, match="model other: Servable not found; the sig"):
            client.main(["--grpc", address, "--model", "other", *arguments])
    finally:
        server.stop(None)
