"""As `flags_of_tools`, of the tools that ask a trained model what it attends to."""

from flags_of_tools import TRAINED, Anything, Kept, Tool, words


class FakeAttention:
    class trained:
        class clip:
            num_frames, frame_rate, has_flow = 4, 8.0, True

        frame_settings, step, class_names = TRAINED, 7, {}

    def look(self, frames, number, box):
        raise AssertionError("replaced")


MEASURE = Tool(
    [
        "--pipeline_config_path",
        "p",
        "--checkpoint",
        "c",
        "--annotations",
        "g",
        "--concerned",
        "n",
        "--videos",
        "v",
        "--output",
        "o",
    ],
    [
        Kept("avatx.data.annotations.concerned_csv", "read_concerned", ["CONCERN"]),
        Kept("avatx.data.annotations.ava_csv", "read_annotations", "ANNOTATIONS"),
        Kept("avatx.trained.attention_model", "AttentionModel", FakeAttention()),
        Kept("avatx.data.input.clip_source", "VideoClips", "VIDEOS"),
        Kept("avatx.data.input.clip_source", "RecordClips", "RECORDS"),
        Kept("avatx.trained.attention_shares", "measure", []),
        Kept("avatx.trained.attention_shares", "summarize", {}),
        Kept("avatx.trained.attention_shares", "table", []),
    ],
    {
        "--pipeline_config_path": (["q"], {"AttentionModel.pipeline_config_path": "q"}),
        "--checkpoint": (["d"], {"AttentionModel.checkpoint": "d"}),
        "--annotations": (["h"], {"read_annotations.path": "h"}),
        "--groundtruth": (["h"], {"read_annotations.path": "h"}),
        "--concerned": (["m"], {"read_concerned.path": "m"}),
        "--videos": (["v1", "v2"], {"VideoClips.folders": ["v1", "v2"]}),
        "--records": None,  # in place of videos: below
        "--output": (["r"], {"printed": ...}),
        "--json": ([], {"printed": ..., "table.summary": None}),
        "--shorter_side": (["123"], {"VideoClips.frame_settings.shorter_side": 123}),
        "--folder_frame_rate": (["6.5"], {"VideoClips.frame_settings.folder_frame_rate": 6.5}),
        "--frames_rate": (["6.5"], {"VideoClips.frame_settings.folder_frame_rate": 6.5}),
        "--video_start_seconds": (
            ["900"],
            {"VideoClips.frame_settings.video_start_seconds": 900.0},
        ),
        "--optical_flow": (["farneback"], {"VideoClips.frame_settings.optical_flow": "farneback"}),
        "--max_frame_rate": (["12.5"], {"VideoClips.frame_settings.max_frame_rate": 12.5}),
        "--override": (["a=1", "b=2"], {"AttentionModel.overrides": ["a=1", "b=2"]}),
    },
)

VISUALIZE = Tool(
    [
        "--pipeline_config_path",
        "p",
        "--checkpoint",
        "c",
        "--video",
        "v.mp4",
        "--timestamp",
        "4",
        "--output",
        "o",
    ],
    [
        Kept("avatx.data.input.clip_source", "check_seconds"),
        Kept("avatx.trained.attention_model", "AttentionModel", FakeAttention()),
        Kept("avatx.data.input.clip_source", "frames_of_video", Anything()),
        Kept("avatx.data.input.clip_source", "RecordClips", Anything()),
        Kept(f"{__name__}", "FakeAttention.look", Anything()),
        Kept("avatx.pictures.attention_figure", "AttentionFigure", Anything()),
    ],
    {
        "--pipeline_config_path": (["q"], {"AttentionModel.pipeline_config_path": "q"}),
        "--checkpoint": (["d"], {"AttentionModel.checkpoint": "d"}),
        "--video": (
            ["w.mp4"],
            {"frames_of_video.path": "w.mp4", "AttentionFigure.title": "w, 4 s"},
        ),
        "--records": None,  # in place of a video: below
        "--video_id": (["id"], {"AttentionFigure.title": "id, 4 s"}),
        "--timestamp": (
            ["2.5"],
            {
                "check_seconds.seconds": [2.5],
                "frames_of_video.keyframe": 2_500_000,
                "AttentionFigure.title": "v, 2.5 s",
            },
        ),
        "--person": (["3"], {"look.number": 3}),
        "--output": (["r"], {"printed": ...}),
        "--json": ([], {"printed": ...}),
        "--shorter_side": (["123"], {"frames_of_video.frame_settings.shorter_side": 123}),
        "--folder_frame_rate": (["6.5"], {"frames_of_video.frame_settings.folder_frame_rate": 6.5}),
        "--frames_rate": (["6.5"], {"frames_of_video.frame_settings.folder_frame_rate": 6.5}),
        "--video_start_seconds": (
            ["900"],
            {"frames_of_video.frame_settings.video_start_seconds": 900.0},
        ),
        "--optical_flow": (
            ["farneback"],
            {"frames_of_video.frame_settings.optical_flow": "farneback"},
        ),
        "--max_frame_rate": (["12.5"], {"frames_of_video.frame_settings.max_frame_rate": 12.5}),
        "--override": (["a=1", "b=2"], {"AttentionModel.overrides": ["a=1", "b=2"]}),
    },
)


EXPLORE = Tool(
    words("--detections d --output o"),
    [
        Kept("avatx.explorer.explorer", "check_output"),
        Kept("avatx.explorer.result", "read_result", Anything()),
        Kept("avatx.explorer.explorer", "write_explorer", Anything()),
    ],
    {
        "--detections": (["e"], {"read_result.path": "e"}),
        "--output": (["p"], {"check_output.output": "p", "write_explorer.output": "p"}),
        "--video": (["w.mp4"], {"write_explorer.video": "w.mp4"}),
        "--annotations": (["g.csv"], {"write_explorer.groundtruth": "g.csv"}),
        "--groundtruth": (["g.csv"], {"write_explorer.groundtruth": "g.csv"}),
        "--video_format": (["webm"], {"write_explorer.video_format": "webm"}),
        # With a model: tests/explorer/test_explorer.py.
        "--saved_model": None,
        "--json": None,
        "--no_attention": None,
        "--score_threshold": None,
        "--every": None,
        "--boxes": (
            ["b.csv"],
            {
                "write_explorer.boxes.path": "b.csv",
                "write_explorer.boxes.score_threshold": 0.0,
                "write_explorer.boxes.max_number_of_boxes": 64,
            },
        ),
        "--boxes_score_threshold": None,
    },
)

ATTENTION_TOOLS = {
    "measure_attention": MEASURE,
    "visualize_attention": VISUALIZE,
    "explore": EXPLORE,
}
