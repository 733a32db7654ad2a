"""The commands of README and of the pages in docs/ run, in the order of the page, on what a small
`make demo` made; or there is a reason why not, and where else they are tried.

Every process here is one that a reader would start. Pages with tests of their own are named below.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from documented_commands import commands

ROOT = pathlib.Path(__file__).parents[1]
WITH_A_TEST = {
    "docs/own-video.md": "tests/project/test_own_video_page.py",
    "docs/extending.md": "tests/test_extending.py",
}
PAGES = sorted(
    name
    for name in ["README.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]
    if name not in WITH_A_TEST
)
# What a command holds, and why it is not run here.
ELSEWHERE = {
    r"\bAVA/|configs/ava/": "needs AVA",
    r"configs/kinetics/|kinetics/(train|val)|classify_video": "needs Kinetics",
    r"import_i3d_weights|--fetch_movenet|weights/movenet": "needs the package index",
    r"kinetics400|demo-real": "needs the package index: tests/kinetics",
    r"pets09|mine/(model|aligned)/": "needs PETS09",
    r"\bmake (setup|demo|test|test-long|faults|lint|benchmark|fuzz|LOCK)": "is what runs this",
    r"reproduce\.py": "takes hours: tests/reproduction",
    r"tests/(faults|soak)/": "takes hours",
    r"probe_playground|shuffle_labels|shuffled": "takes hours, or is of one that does",
    r"TF_CONFIG|\bsrun\b|workers=|avatx-model-main|REGISTRY|(name|subdomain): avatx": (
        "needs several machines: tests/training/test_several_machines.py"
    ),
    r"docker |serving_client\.py": "needs a server: tests/export/test_serving.py",
    r"--boxes people|proposal_source=EXTERNAL|takes the boxes": (
        "needs another detector's boxes: tests/inference/test_boxes_of_video.py"
    ),
    r"onnx": "needs the packages of avatx[onnx]: tests/export/test_exporter.py",
    r"^(from|import) |avatx\.load|^benchmark_|\.in by hand": "is no command",
    r"pip install": "installs",
    r"config convert": "needs a config of the Object Detection API: tests/config",
}
MODEL = "model.action_faster_rcnn"
SMALL = [
    f"{MODEL}.image_resizer.fixed_shape_resizer.height=48",
    f"{MODEL}.image_resizer.fixed_shape_resizer.width=64",
    f"{MODEL}.trunk.i3d.depth_multiplier=0.03125",
    f"{MODEL}.first_stage_max_proposals=8",
    "train_config.num_steps=2",
    "train_config.batch_size=2",
    "train_config.optimizer.adam_optimizer.learning_rate.cosine_decay_learning_rate.warmup_steps=1",
]
# What stands for the reader's own files, of the playground.
FILES = {
    "data/videos": ("videos", "my_videos", "films", "clips"),
    "data/videos/val_0000.mp4": ("film.mp4",),
    "data/train.csv": ("train.csv", "mine.csv", "my_train.csv", "ava_train_v2.2.csv"),
    "data/val.csv": ("ava_val_v2.2.csv", "ava_val_v2.2.csv.gz"),
    "data/train_excluded_timestamps.csv": ("ava_train_excluded_timestamps_v2.2.csv",),
    "data/val_excluded_timestamps.csv": ("ava_val_excluded_timestamps.csv",),
    "data/label_map.pbtxt": (
        *("labels.pbtxt", "mine.pbtxt", "my_labels.pbtxt", "list.pbtxt", "ava_action_list.pbtxt"),
        "ava_action_list_v2.2_for_activitynet_2019.pbtxt",
    ),
    "model/detections.csv": ("detections.csv",),
    "detections": ("OUT",),
    "export": ("EXPORT",),
}


def why_not(command: str) -> str:
    """Why a command is not run here; "" for one that is."""
    return next((why for held, why in ELSEWHERE.items() if re.search(held, command)), "")


def run_here(page: str) -> list[str]:
    found = commands((ROOT / page).read_text())
    return [command.removeprefix("$ ") for command in found if not why_not(command)]


def smaller(command: str) -> str:
    """As the page has it, but for sizes."""
    command = re.sub(r"(--num_videos) \d+", r"\1 2", command)
    command = re.sub(r"(--num_shards) \d+", r"\1 1", command)
    if "model_main.py" in command:
        command += " --override " + " ".join(SMALL)
    return command


def run(command: str, place: pathlib.Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    shell = f'python() {{ "{sys.executable}" "$@"; }}; avatx() {{ python -m avatx "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", shell + command],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkout after `make demo`, of two videos and two steps."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("tools", "docs", "configs", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    small = " ".join(SMALL)
    run(
        "python tools/demo.py --output runs/demo --train_videos 2 --val_videos 3 "
        f"--override {small}",
        folder,
    )
    for made, names in FILES.items():
        for name in names:
            source = folder / "runs" / "demo" / made
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "list.txt").write_text("film.mp4\n")
    return folder


@pytest.fixture
def place(made, tmp_path):
    """That checkout, for one page alone."""
    return shutil.copytree(made, tmp_path / "checkout", symlinks=True)


def test_what_is_run_and_what_is_not():
    """A reason that is no longer one, and a page that lost its commands, are noticed."""
    every = [command for page in PAGES for command in commands((ROOT / page).read_text())]
    unused = [held for held in ELSEWHERE if not any(re.search(held, one) for one in every)]
    assert not unused
    assert sum(len(run_here(page)) for page in PAGES) > 15
    for page, test in WITH_A_TEST.items():
        assert (ROOT / page).is_file() and (ROOT / test).is_file()


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", [page for page in PAGES if run_here(page)])
def test_the_commands_of_the_page(page, place):
    for command in run_here(page):
        run(smaller(command), place)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_python_of_the_page_on_python(place):
    """Its blocks up to the camera's, one after the other."""
    text = (ROOT / "docs" / "python.md").read_text().split("## A camera")[0]
    blocks = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    assert len(blocks) == 4
    program = re.sub(r"^    ", "", "\n".join(blocks), flags=re.MULTILINE)
    before = "import sys, types\nimport numpy as np\n"
    # Pandas is asked for by one line, and is not among what is installed.
    program = program.replace("result.to_pandas()", "len(result)")
    frames = "frames = np.zeros([detector.num_frames, 90, 120, 3], np.uint8)\npeople = "
    program = program.replace("people = ", frames)
    (place / "program.py").write_text(
        before + program + "\nassert all(person.scores for person in people)\n"
    )
    run("python program.py", place)
