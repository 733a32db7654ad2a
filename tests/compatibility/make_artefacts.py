"""Makes what lies in made_by_4bebf8a/, with the code of that commit.

Run once, in a worktree of commit 4bebf8a (the last one before issue 7) in which this folder alone
was added, with TensorFlow 2.16.2 on a CPU:

    PYTHONPATH=. .venv/bin/python tests/compatibility/make_artefacts.py

Never run it again with newer code: then the files would show nothing. people.csv, label_map.pbtxt,
actions.csv and the configs are written by hand; all else comes from the command lines below.

    film.mp4                  41 frames of 48 x 64 at 8 a second: three people in plain colours
    records/                  keyframes, keyframes with optical flow, labelled videos; manifest.json
    detector_momentum.tar.xz  a --model_dir after 2 steps: momentum, moving average; best/
    detector_adam.tar.xz      another: Adam, separable, LOW_RES, a box a class
    classifier.tar.xz         another, of a video_classifier
    export.tar.xz             an --output with attention, of detector_momentum
    expected/                 what that commit made of them
"""

import json
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import av
import numpy as np
import reading_artefacts as reading

HEIGHT, WIDTH, RATE, FRAMES = 48, 64, 8, 41
ADAM = [
    (
        "train_config.optimizer={ adam_optimizer { learning_rate { cosine_decay_learning_rate { "
        "learning_rate_base: 0.03 total_steps: 20 warmup_steps: 3 "
        "warmup_learning_rate: 0.01 } } } }"
    ),
    "model.action_faster_rcnn.trunk.i3d.separable=true",
    "model.action_faster_rcnn.second_stage_box_predictor.tx_box_predictor.query=LOW_RES",
    "model.action_faster_rcnn.second_stage_class_specific_boxes=true",
]


def run(program, *arguments):
    """Runs a command line in the artefacts' folder, so that no path of this machine gets in."""
    command = [sys.executable, str(reading.ROOT / "tools" / f"{program}.py"), *map(str, arguments)]
    print("$", program, *arguments, flush=True)
    subprocess.run(command, check=True, cwd=reading.MADE)


def draw(number):
    """Frame `number` of the film."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frame = np.stack([60 + x, 50 + 2 * y, 90 + (x + y) // 2], axis=-1)
    frame[14:40, 4 + number // 2 : 16 + number // 2] = 210, 60, 40  # walks to the right
    frame[8:38, 44:54] = 40, 70, 200  # stands
    frame[12:18, 54 : 58 + 2 * (number % 3)] = 230, 220, 60  # ... and waves
    if number >= 32:
        frame[20:46, 28:38] = 70, 190, 70  # comes in at 4 s
    return frame.astype(np.uint8)


def make_film():
    path = reading.MADE / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        options = {"crf": "18", "threads": "1"}
        stream = container.add_stream("libx264", rate=RATE, options=options)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        stream.codec_context.gop_size = RATE
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    os.utime(path, (reading.FILM_MODIFIED, reading.FILM_MODIFIED))


def make_model_dir(name, config, *overrides):
    """Trains two steps, with an evaluation, and keeps its results and the whole folder."""
    run(
        "model_main",
        "--pipeline_config_path",
        config,
        "--model_dir",
        name,
        "--mode",
        "train_and_eval",
        "--distribution_strategy",
        "cpu",
        "--override",
        "train_config.seed=3",
        *overrides,
    )
    for curves in ("train", "eval"):
        shutil.rmtree(reading.MADE / name / curves)
    for result in ("metrics.json", "detections.csv"):
        if (reading.MADE / name / result).exists():
            shutil.copy(
                reading.MADE / name / result, reading.MADE / "expected" / f"{name}.{result}"
            )
    pack(name)


def pack(name):
    """NAME to NAME.tar.xz; NAME stays, for what is made of it."""
    with tarfile.open(reading.MADE / f"{name}.tar.xz", "w:xz", preset=9) as archive:
        for path in sorted((reading.MADE / name).rglob("*")):
            if path.is_file():
                archive.add(path, path.relative_to(reading.MADE), filter=_nobody)


def _nobody(info):
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def write_json(name, content):
    """Writes expected/NAME, packed where NAME ends in .xz."""
    opened = lzma.open if name.endswith(".xz") else open
    with opened(reading.MADE / "expected" / name, "wt", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.write("\n")


def expect_third_step(name):
    """What resuming leads to: each number's sum in the checkpoint after one step more."""
    with tempfile.TemporaryDirectory() as folder:
        model_dir = pathlib.Path(folder) / name
        shutil.copytree(reading.MADE / name, model_dir)
        run(
            "model_main",
            "--pipeline_config_path",
            model_dir / "pipeline.config",
            "--model_dir",
            model_dir,
            "--distribution_strategy",
            "cpu",
            "--override",
            "train_config.num_steps=3",
        )
        write_json(f"{name}.step_3.json.xz", reading.checkpoint_statistics(model_dir / "ckpt-3"))


def expect_batches():
    """The clips of the records, small, and what is known of them."""
    expected = {}
    for name, config in reading.DATA_SETS.items():
        for number, batch in enumerate(reading.evaluation_batches(config)):
            thumbnails = reading.thumbnails(batch.clips)
            expected[f"{name}{number}"] = thumbnails.astype(np.float32)
    np.savez_compressed(reading.MADE / "expected" / "thumbnails.npz", **expected)


def expect_configs():
    """Of every config: each field's value, defaults included, and each variable's shape."""
    expected = {
        path.name: {
            "values": reading.effective_values(reading.load_config(path)),
            "variables": reading.variable_shapes(path),
        }
        for path in sorted((reading.MADE / "configs").glob("*.config"))
    }
    write_json("configs.json.xz", expected)


def expect_detections():
    """What the export finds in a clip, in the film, and the classifier's answer on the film."""
    clips = np.stack([[draw(start + i) for i in range(8)] for start in (3, 30)])
    outputs = reading.run_export(reading.MADE / "export/saved_model", "serving_attention", clips)
    outputs["detection_attention"] = outputs["detection_attention"][:, :2]  # large
    np.savez_compressed(reading.MADE / "expected" / "export.npz", clips=clips, **outputs)
    with tempfile.TemporaryDirectory() as folder:
        run(
            "detect_video",
            "--saved_model",
            "export/saved_model",
            "--video",
            "film.mp4",
            "--output",
            folder,
            "--score_threshold",
            0.15,
            "--every",
            0.5,
        )
        shutil.copy(f"{folder}/detections.csv", reading.MADE / "expected" / "film.detections.csv")
    classify = reading.tool("classify_video")
    answer = _printed(
        classify,
        "--pipeline_config_path",
        "classifier/pipeline.config",
        "--checkpoint",
        "classifier",
        "--video",
        "film.mp4",
        "--label_map",
        "records/actions.pbtxt",
        "--json",
    )
    write_json("film.classes.json", json.loads(answer))


def _printed(function, *arguments):
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as text:
        function(*arguments)
    return text.getvalue()


def main():
    os.chdir(reading.MADE)
    (reading.MADE / "expected").mkdir(exist_ok=True)
    make_film()
    for command in reading.RECORDS.values():
        run(*command)
    make_model_dir("detector_momentum", "detector.config")
    make_model_dir("detector_adam", "detector.config", *ADAM)
    make_model_dir("classifier", "classifier.config")
    run(
        "exporter_main",
        "--pipeline_config_path",
        "detector_momentum/pipeline.config",
        "--checkpoint",
        "detector_momentum",
        "--output",
        "export",
        "--attention",
    )
    pack("export")
    expect_batches()
    expect_configs()
    expect_detections()
    expect_third_step("detector_momentum")
    expect_third_step("detector_adam")
    for name in ("detector_momentum", "detector_adam", "classifier", "export"):
        shutil.rmtree(reading.MADE / name)


if __name__ == "__main__":
    main()
