"""`avatx detect film.mp4`: what most people type first."""

import pytest

from tools import detect_video


@pytest.mark.parametrize(
    "given, video, output",
    [
        (["film.mp4"], "film.mp4", "film_detections"),
        (["a b/my film.v2.mp4"], "a b/my film.v2.mp4", "my_film.v2_detections"),
        (["frames/"], "frames/", "frames_detections"),
        (["https://host/film.mp4"], "https://host/film.mp4", "film_detections"),
        (["film.mp4", "--output", "here"], "film.mp4", "here"),
        (["--video", "film.mp4"], "film.mp4", "film_detections"),
    ],
)
def test_a_film_alone(given, video, output):
    arguments, others = detect_video.parse_arguments([*given, "--actions", "kinetics400"])
    assert (arguments.video, arguments.output, others) == (video, output, [])


def test_of_many_the_folder_is_named(capsys):
    with pytest.raises(SystemExit):
        detect_video.parse_arguments(["--videos", "a.mp4", "--actions", "kinetics400"])
    assert "required: --output" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        detect_video.parse_arguments(["a.mp4", "b.mp4", "--actions", "kinetics400"])
    assert "unrecognized arguments: b.mp4" in capsys.readouterr().err
