"""The reader of pipeline.config: a checked config, or a UserError that names the file."""

import os
import random

from mutation import mutate

from avatx import config
from avatx.errors import UserError

_WORDS = [
    *(b'"', b"'", b"{", b"}", b"<", b">", b"[", b"]", b":", b";", b",", b"#", b"\\", b"\n", b"\r"),
    *(b"\\9", b"\\xff", b"\\ud800", b"nan", b"inf", b"-inf", b"1e400", b"1e-38", b"-1", b"0"),
    *(
        b"4000000000",
        b"18446744073709551616",
        b"9" * 500,
        b"0x10",
        b"010",
        b"true",
        b"1.5",
        b"TRUE",
    ),
    *(
        b"i3d {}",
        b"two_stream { rgb { i3d {} } flow { i3d {} } }",
        b"batch_size: 3",
        b"\0",
        b"\xff",
    ),
    *(
        b"model {",
        b"train_config {",
        b"video_classifier {",
        b"{" * 200,
        b"rgb { " * 120,
        b"query: 3",
    ),
    *("é".encode(), "\u2028".encode(), b"\xef\xbb\xbf", b"[avatx.x]: 1", b"schedule { step: 1 }"),
    *(b'input_path: ["a", "b"]', b"scales: [1, 2,]", b"scales: []", b"\x0c", b"\x85", b" ", b"1 2"),
]
_OVERRIDES = [
    "train_config.batch_size=4",
    "train_config.batch_size=",
    "train_config.optimizer={ }",
    "model.action_faster_rcnn.num_classes=3",
    "train_config.data_augmentation_options[0].random_horizontal_flip.probability=1",
]
_GOOD: list[bytes] = []


def _good() -> list[bytes]:
    if not _GOOD:
        folder = os.path.join(os.path.dirname(__file__), "../../configs")
        for name in (
            "playground/demo",
            "playground/pretrain_i3d",
            "ava/tx_highres_r300_two_stream",
        ):
            with open(os.path.join(folder, f"{name}.config"), "rb") as file:
                lines = file.read().split(b"\n")
                _GOOD.append(b"\n".join(line for line in lines if not line.startswith(b"#")))
    return _GOOD


def make(generator: random.Random) -> tuple[bytes, list[str]]:
    """An input, and overrides."""
    overrides = []
    if generator.random() < 0.1:
        damaged = mutate(generator.choice(_OVERRIDES).encode(), _WORDS, generator)
        overrides = [damaged.decode(errors="replace")]
    return mutate(generator.choice(_good()), _WORDS, generator), overrides


def check(case: tuple[bytes, list[str]], folder: str) -> bool:
    """Whether there is a value; False for a UserError."""
    data, overrides = case
    path = os.path.join(folder, "pipeline.config")
    with open(path, "wb") as file:
        file.write(data)
    try:
        loaded = config.load(path, overrides)
    except UserError as error:
        text = str(error)
        assert path in text or text.startswith("override "), text
        assert len(text) < 4200 and len(text.splitlines()) == 1, text
        return False
    config.write(loaded, path)
    assert config.load(path) == loaded
    return True
