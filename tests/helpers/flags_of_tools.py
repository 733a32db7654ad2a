"""What the main of each tool calls, and for each flag another value."""

import pathlib
from typing import NamedTuple

import numpy as np

from avatx.config.files import NamedFile
from avatx.inference.people_of_videos import Summary as PeopleSummary
from avatx.playground.dataset import Summary as PlaygroundSummary

ROOT = pathlib.Path(__file__).parents[2]


class Kept(NamedTuple):
    """A function of the library that is replaced, and what it gives the tool."""

    module: str
    name: str
    result: object = None


class Tool(NamedTuple):
    base: list  # a command line that works
    kept: list
    flags: dict  # flag -> (its arguments, {what changes: to what})


def words(text):
    return text.split()


class Anything:
    """Any attribute, any call."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __call__(self, *arguments, **keywords):
        return Anything()

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0

    def __format__(self, spec):
        return ""

    def __truediv__(self, other):
        return self

    def __gt__(self, other):
        return False

    def __lt__(self, other):
        return False

    def __bool__(self):
        return False


class Ended(Exception):
    """The tool has said all that it says to the library."""


ENTRY = {
    "totals": {"keyframes": 1, "records": 1, "bytes": 1},
    "videos": {},
    "shards": [],
    "excluded_keyframes": 0,
    "dropped_rows_of_unknown_classes": {},
    "skipped": [],
}
CONFIG = str(ROOT / "configs/playground/demo.config")


# How the frames of the fakes' training were taken: numbers unlike any default and any flag below.
TRAINED = {
    "shorter_side": 111,
    "folder_frame_rate": 21.5,
    "max_frame_rate": 17.5,
    "optical_flow": "dis",
    "video_start_seconds": None,
}


class Classifier:
    class model:
        num_classes, image_size = 2, (32, 48)

    class trained:
        frame_settings = TRAINED

    frame_rate = 12.5

    @staticmethod
    def scores(clips):
        raise AssertionError


class FakeDetector:
    frame_settings, has_flow = TRAINED, True


OTHER_TOOLS = {
    "create_ava_tfrecord": Tool(
        words("--videos v --annotations a.csv --label_map m --output o/x --num_shards 3"),
        [Kept("avatx.data.records.ava_records", "create_ava_records", ENTRY)],
        {
            "--videos": (["v1", "v2"], {"videos": ["v1", "v2"]}),
            "--annotations": (["b.csv"], {"annotations": "b.csv"}),
            "--label_map": (["n"], {"label_map": "n"}),
            "--excluded": (["e.csv"], {"excluded": "e.csv"}),
            "--output": (["p/y"], {"output": "p/y"}),
            "--num_shards": (["5"], {"num_shards": 5}),
            "--shorter_side": (["123"], {"settings.frame_settings.shorter_side": 123}),
            "--jpeg_quality": (["77"], {"settings.jpeg_quality": 77}),
            "--seconds_per_record": (["3.5"], {"settings.seconds_per_record": 3.5}),
            "--margin_seconds": (["1.25"], {"settings.margin_seconds": 1.25}),
            "--max_frame_rate": (["12.5"], {"settings.frame_settings.max_frame_rate": 12.5}),
            "--folder_frame_rate": (["6.5"], {"settings.frame_settings.folder_frame_rate": 6.5}),
            "--frames_rate": (["6.5"], {"settings.frame_settings.folder_frame_rate": 6.5}),
            "--video_start_seconds": (
                ["900"],
                {"settings.frame_settings.video_start_seconds": 900.0},
            ),
            "--keyframe_seconds": (["902", "1798"], {"keyframe_seconds": [902, 1798]}),
            "--json": ([], {"printed": ...}),
            "--optical_flow": (["dis"], {"settings.frame_settings.optical_flow": "dis"}),
            "--overwrite": ([], {"overwrite": True}),
        },
    ),
    "create_kinetics_tfrecord": Tool(
        ["--annotations", "a.csv", "--output", "o/x", "--num_shards", "3"],
        [Kept("avatx.data.records.classification_records", "create_classification_records", ENTRY)],
        {
            "--annotations": (["b.csv"], {"annotations": "b.csv"}),
            "--folders": (["f"], {"folders": "f", "annotations": None}),
            "--videos": (["v1", "v2"], {"videos": ["v1", "v2"]}),
            "--label_map": (["m"], {"label_map": "m"}),
            "--output_label_map": (["c"], {"output_label_map": "c"}),
            "--json": ([], {"printed": ...}),
            "--output": (["p/y"], {"output": "p/y"}),
            "--num_shards": (["5"], {"num_shards": 5}),
            "--shorter_side": (["123"], {"settings.frame_settings.shorter_side": 123}),
            "--jpeg_quality": (["77"], {"settings.jpeg_quality": 77}),
            "--max_frame_rate": (["12.5"], {"settings.frame_settings.max_frame_rate": 12.5}),
            "--frame_rate": (["12.5"], {"settings.frame_settings.max_frame_rate": 12.5}),
            "--folder_frame_rate": (["6.5"], {"settings.frame_settings.folder_frame_rate": 6.5}),
            "--frames_rate": (["6.5"], {"settings.frame_settings.folder_frame_rate": 6.5}),
            "--overwrite": ([], {"overwrite": True}),
        },
    ),
    "detect_video": Tool(
        ["--saved_model", "m", "--video", "v", "--output", "o"],
        [
            Kept("avatx.inference.detector", "Detector", FakeDetector()),
            Kept("avatx.inference.video_detection", "detect_video", Anything()),
            Kept("avatx.inference.video_detection", "check_arguments"),
        ],
        {
            "--saved_model": (["n"], {"Detector.path": "n"}),
            "--actions": None,  # in place of a model: tests/kinetics/test_commands.py
            "--video": (["w"], {"detect_video.video": "w"}),
            "--videos": None,  # in place of a video: tests/inference/test_batch_detection.py
            "--output": (["p"], {"detect_video.output_directory": "p"}),
            **{
                f"--{name}": (
                    [str(value)],
                    {f"detect_video.{name}": value, f"check_arguments.{name}": value},
                )
                for name, value in (("score_threshold", 0.125), ("every", 2.5), ("batch_size", 7))
            },
            **{
                f"--{flag}": ([str(value)], {f"detect_video.frame_settings.{name}": value})
                for flag, name, value in (
                    ("folder_frame_rate", "folder_frame_rate", 6.5),
                    ("frames_rate", "folder_frame_rate", 6.5),
                    ("shorter_side", "shorter_side", 123),
                    ("max_frame_rate", "max_frame_rate", 12.5),
                    ("optical_flow", "optical_flow", "farneback"),
                )
            },
            "--annotations": (["g.csv"], {"detect_video.groundtruth": "g.csv"}),
            "--groundtruth": (["g.csv"], {"detect_video.groundtruth": "g.csv"}),
            "--attention": ([], {"detect_video.attention": True}),
            "--boxes": (
                ["b.csv"],
                {
                    "detect_video.boxes.path": "b.csv",
                    "detect_video.boxes.score_threshold": 0.0,
                    "detect_video.boxes.max_number_of_boxes": 64,
                },
            ),
            "--json": None,
            "--boxes_score_threshold": None,  # of --boxes: tests/inference/test_boxes_of_video.py
        },
    ),
    "detect_people": Tool(
        ["--saved_model", "m", "--videos", "v", "--output", "o"],
        [
            Kept("avatx.inference.person_detector", "PersonDetector", Anything()),
            Kept(
                "avatx.inference.people_of_videos", "detect_people", PeopleSummary(1, 2, 3, [], {})
            ),
            Kept("avatx.inference.movenet", "fetch"),
        ],
        {
            "--saved_model": (["n"], {"PersonDetector.path": "n"}),
            "--videos": (["w", "x"], {"detect_people.videos": ["w", "x"]}),
            "--output": (["p"], {"detect_people.output": "p"}),
            "--every": (["2.5"], {"detect_people.every": 2.5}),
            "--annotations": (["a.csv"], {"detect_people.annotations": "a.csv"}),
            "--score_threshold": (["0.125"], {"detect_people.score_threshold": 0.125}),
            "--person_class": (["7"], {"PersonDetector.person_class": 7}),
            "--tiles": (["3"], {"PersonDetector.tiles": 3}),
            "--json": ([], {"printed": ...}),
            **{
                f"--{flag}": (["6.5"], {f"detect_people.frame_settings.{name}": 6.5})
                for flag, name in (
                    ("folder_frame_rate", "folder_frame_rate"),
                    ("frames_rate", "folder_frame_rate"),
                    ("video_start_seconds", "video_start_seconds"),
                )
            },
            # Another command: tests/inference/test_people_of_videos.py.
            "--fetch_movenet": None,
            "--movenet_archive": None,
        },
    ),
    "classify_video": Tool(
        ["--checkpoint", "c", "--video", "v", "--label_map", "MAP"],
        [
            Kept("avatx.trained.classifier", "restore_classifier", Classifier()),
            Kept(
                "avatx.inference.video_classification",
                "classify",
                (np.array([0.25, 0.75]), 8, None),
            ),
        ],
        {
            "--checkpoint": (["d"], {"restore_classifier.checkpoint": "d"}),
            "--pipeline_config_path": (["p"], {"restore_classifier.pipeline_config_path": "p"}),
            "--override": (["a=1", "b=2"], {"restore_classifier.overrides": ["a=1", "b=2"]}),
            "--video": (["w"], {"classify.path": "w"}),
            "--label_map": (["OTHER_MAP"], {"printed": "0.75000     2  walk\n0.25000     1  run"}),
            "--top": (["1"], {"printed": "0.75000     2  stand"}),
            "--max_frames": (["99"], {"classify.max_frames": 99}),
            "--json": (
                [],
                {
                    "printed": """{
  "num_frames": 8,
  "stopped": null,
  "classes": [
    {
      "id": 2,
      "name": "stand",
      "score": 0.75
    },
    {
      "id": 1,
      "name": "sit",
      "score": 0.25
    }
  ]
}"""
                },
            ),
        },
    ),
    "exporter_main": Tool(
        ["--pipeline_config_path", "p", "--checkpoint", "c", "--output", "o"],
        [Kept("avatx.export.exporter", "export_pipeline", Anything())],
        {
            "--pipeline_config_path": (["q"], {0: "q"}),
            "--checkpoint": (["d"], {1: "d"}),
            "--trained_checkpoint_dir": (["d"], {1: "d"}),
            "--output": (["r"], {2: "r"}),
            "--output_directory": (["r"], {2: "r"}),
            "--best": ([], {"best": True}),
            "--json": None,  # what is printed
            "--override": (["a=1", "b=2"], {3: ["a=1", "b=2"]}),
            "--attention": ([], {4: True}),
            "--format": (["onnx"], {"file_format": "onnx"}),
            "--version": (["3"], {"version": 3}),
        },
    ),
    "import_i3d_weights": Tool(
        ["--source", "s", "--output", "o"],
        [
            Kept(
                "avatx.checkpoints.i3d_weights",
                "import_weights",
                {
                    "loaded": ["x"],
                    "missing": [],
                    "unused": [],
                    "output": "o",
                    "modality": "rgb",
                    "source": "s",
                    "sha256": "",
                    "num_parameters": 1,
                    "num_moving_statistics": 1,
                },
            )
        ],
        {
            "--source": (["t"], {0: "t"}),
            "--output": (["p"], {1: "p"}),
            "--json": ([], {"printed": ...}),
        },
    ),
    "make_kinetics_detector": Tool(
        ["--output", "o", "--saved_model", "m"],
        [Kept("avatx.kinetics.export", "export")],
        {
            "--output": (["p"], {"output": "p"}),
            "--saved_model": (["n"], {"person_detector": "n"}),
            "--person_detector": (["n"], {"person_detector": "n"}),
            "--source": (["w"], {"weights": "w"}),
            "--json": ([], {"printed": ...}),
            "--weights": (["w"], {"weights": "w"}),
        },
    ),
    "check_config": Tool(
        ["--pipeline_config_path", "p"],
        [
            Kept("avatx.config", "load", "LOADED"),
            Kept("avatx.builders.summary", "summarize", {"a": 1}),
            Kept("avatx.builders.summary", "print_table"),
            Kept(
                "avatx.builders.missing_files",
                "missing_files",
                [NamedFile("reader.path", "r", "RECORDS", "make it")],
            ),
        ],
        {
            "--pipeline_config_path": (["q"], {"load.path": "q"}),
            "--override": (["a=1", "b=2"], {"load.overrides": ["a=1", "b=2"]}),
            "--json": (
                [],
                {
                    "printed": """{
  "a": 1,
  "missing_files": [
    {
      "field": "reader.path",
      "path": "r",
      "remedy": "make it"
    }
  ]
}""",
                    "print_table.summary": None,
                },
            ),
            "--require_files": ([], {"exit_code": 1}),
        },
    ),
    "model_main": Tool(
        ["--pipeline_config_path", CONFIG, "--model_dir", "d"],
        [
            Kept("avatx.config", "load", Anything()),
            Kept("avatx.training.distribution", "join"),
            Kept("avatx.builders.experiment_builder", "build", "EXPERIMENT"),
            Kept("avatx.training.run", "train"),
            Kept("avatx.training.run", "train_and_eval"),
            Kept("avatx.training.run", "evaluate"),
            Kept("avatx.training.run", "evaluate_continuously"),
        ],
        {
            "--pipeline_config_path": (["q"], {"load.path": "q"}),
            "--model_dir": (["e"], {"build.model_dir": "e"}),
            "--mode": (
                ["train_and_eval"],
                {"train.experiment": None, "train_and_eval.experiment": "EXPERIMENT"},
            ),
            "--checkpoint": (
                ["c"],
                {
                    "train.experiment": None,
                    "evaluate_continuously.experiment": "EXPERIMENT",
                    "evaluate_continuously.checkpoint_dir": "c",
                    "evaluate_continuously.timeout": 3600.0,
                },
            ),
            "--checkpoint_dir": (
                ["c"],
                {
                    "train.experiment": None,
                    "evaluate_continuously.experiment": "EXPERIMENT",
                    "evaluate_continuously.checkpoint_dir": "c",
                    "evaluate_continuously.timeout": 3600.0,
                },
            ),
            "--eval_timeout": (
                ["5", "--checkpoint", "c"],
                {
                    "train.experiment": None,
                    "evaluate_continuously.experiment": "EXPERIMENT",
                    "evaluate_continuously.checkpoint_dir": "c",
                    "evaluate_continuously.timeout": 5.0,
                },
            ),
            "--override": (["a=1", "b=2"], {"load.overrides": ["a=1", "b=2"]}),
            "--distribution_strategy": (
                ["cpu"],
                {"build.distribution_strategy": "cpu", "join.name": "cpu"},
            ),
            "--peer_timeout": (["5"], {"join.timeout": 5.0}),
            "--json": None,
        },
    ),
    "make_playground": Tool(
        ["--output", "o", "--split", "train", "--num_videos", "3"],
        [
            Kept("avatx.playground", "generate", PlaygroundSummary("train")),
            Kept("avatx.playground", "generate_actions", {}),
        ],
        {
            "--output": (["p"], {"generate.0": "p"}),
            "--split": (["val"], {"generate.1": "val"}),
            "--num_videos": (["5"], {"generate.2": 5}),
            "--seed": (["7"], {"generate.3": 7}),
            "--num_workers": (["2"], {"generate.num_workers": 2}),
            "--cast": (["crowd"], {"generate.cast": "crowd"}),
            "--json": ([], {"printed": ...}),
            "--kind": (
                ["actions"],
                {
                    **{f"generate.{name}": None for name in (0, 1, 2, 3, "cast", "show_progress")},
                    "generate_actions.0": "o",
                    "generate_actions.1": "train",
                    "generate_actions.2": 3,
                    "generate_actions.3": 0,
                    "generate_actions.show_progress": True,
                    "printed": ...,
                },
            ),
        },
    ),
    "visualize_detections": Tool(
        words("--annotations g --detections d --label_map MAP --videos v --output o"),
        [
            Kept("avatx.data.annotations.ava_csv", "read_annotations", "ANNOTATIONS"),
            Kept("avatx.data.annotations.ava_csv", "read_detections", "DETECTIONS"),
            Kept("avatx.data.annotations.ava_csv", "read_excluded_timestamps", "EXCLUDED"),
            Kept("avatx.data.input.clip_source", "check_seconds"),
            Kept("avatx.data.input.clip_source", "make_source", "SOURCE"),
            Kept("avatx.evaluation.examples", "find_examples", []),
            Kept("avatx.pictures.detection_sheets", "write_sheets", []),
        ],
        {
            "--annotations": (["h"], {"read_annotations.path": "h"}),
            "--groundtruth": (["h"], {"read_annotations.path": "h"}),
            "--detections": (["e"], {"read_detections.path": "e"}),
            "--label_map": (
                ["OTHER_MAP"],
                {
                    "find_examples.label_map.names": {1: "run", 2: "walk"},
                    "write_sheets.class_names": {1: "run", 2: "walk"},
                },
            ),
            "--excluded": (
                ["x"],
                {"read_excluded_timestamps.path": "x", "find_examples.excluded": "EXCLUDED"},
            ),
            "--videos": (["v1", "v2"], {"make_source.videos": ["v1", "v2"]}),
            "--records": (["r"], {"make_source.records": ["r"]}),
            "--output": (["p"], {"write_sheets.folder": "p"}),
            "--classes": (["2", "1"], {"find_examples.classes": [2, 1]}),
            "--top": (["4"], {"find_examples.count": 4}),
            "--json": ([], {"printed": ...}),
            "--seconds": (
                ["2", "-0.5"],
                {"check_seconds.seconds": [2, -0.5], "write_sheets.seconds": [-0.5, 0, 2]},
            ),
            "--protocol": (["AVA_2018"], {"find_examples.protocol": "AVA_2018"}),
            "--iou_threshold": (["0.75"], {"find_examples.iou_threshold": 0.75}),
            "--shorter_side": (["123"], {"make_source.frame_settings.shorter_side": 123}),
            "--folder_frame_rate": (["6.5"], {"make_source.frame_settings.folder_frame_rate": 6.5}),
            "--frames_rate": (["6.5"], {"make_source.frame_settings.folder_frame_rate": 6.5}),
            "--video_start_seconds": (
                ["900"],
                {"make_source.frame_settings.video_start_seconds": 900.0},
            ),
        },
    ),
}
