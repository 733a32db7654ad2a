"""Times our trunk and RPN against a plain PyTorch peer with the same weights, in turns.

    make benchmark                                   # makes .venv-benchmark and runs this
    python benchmarks/benchmark_peer.py --num_frames 64 --size 224
    python benchmarks/benchmark_peer.py --precision bfloat16 --batch_size 3 --compile   # on a GPU

Both sides are processes that stay and take turns, A B A B; one waits while the other works. First
their outputs are compared on the same clips: where they differ by more than 1e-3 of the largest
value (float32; 5 % in lower precision) nothing is timed and the exit code is 1. Timed are
"inference" (uint8 clips to the RPN's outputs) and "training" (that and all gradients by the
kernels). Proposals, head, post-processing, losses and optimiser are on neither side.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from measuring.models import add_flags
from measuring.report import publish
from measuring.resident import Resident
from measuring.settings import settings
from measuring.timing import ratio_of_pairs, take_turns

from avatx import cli
from avatx.errors import UserError

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2, "float16": 5e-2}


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_flags(parser, batch_size=1)
    parser.add_argument(
        "--peer_python",
        default=str(HERE.parent / ".venv-benchmark" / "bin" / "python"),
        help="a Python with torch; default .venv-benchmark's",
    )
    parser.add_argument("--device", help="the peer's: cpu or cuda; default cuda where there is one")
    parser.add_argument("--compile", action="store_true", help="torch.compile the peer")
    parser.add_argument("--modes", nargs="+", default=["inference", "training"])
    flags = parser.parse_args(argv)
    _check_torch(flags.peer_python)

    with tempfile.TemporaryDirectory() as directory:
        ours, peer = _start(flags, directory)
        try:
            worst = _difference(ours, peer, directory)
            agree = max(worst.values()) <= TOLERANCE[flags.precision]
            rows = _timed(flags, ours, peer) if agree else []
        finally:
            ours.close()
            peer.close()
    differences = ", ".join(f"{name} {value:.1e}" for name, value in worst.items())
    notes = [f"largest difference, as a share of the largest value: {differences}"]
    if not agree:
        notes.append(f"they differ by more than {TOLERANCE[flags.precision]:g}: not timed")
    notes.append("the ratio is the median over pairs of neighbouring runs, peer's time / ours")
    publish("benchmark_peer", settings(flags), rows, flags.json, notes)
    return 0 if agree else 1


def _check_torch(python: str) -> None:
    try:
        found = subprocess.run([python, "-c", "import torch, numpy"], capture_output=True)
    except OSError as error:
        raise UserError(
            f"--peer_python {python}: cannot run ({error}); `make benchmark` makes it"
        ) from error
    if found.returncode:
        reason = found.stderr.decode(errors="replace").strip().splitlines()[-1]
        raise UserError(
            f"--peer_python {python}: has no PyTorch ({reason}); skip the peer, or "
            "install torch there"
        )


def _start(flags, directory: str) -> tuple[Resident, Resident]:
    weights = f"{directory}/weights.npz"
    model = ["--pipeline_config_path", flags.pipeline_config_path, "--precision", flags.precision]
    model += ["--batch_size", str(flags.batch_size), "--weights", weights]
    for name in ("num_frames", "size"):
        if getattr(flags, name):
            model += [f"--{name}", str(getattr(flags, name))]
    if flags.override:
        model += ["--override", *flags.override]
    ours = Resident(
        [sys.executable, str(HERE / "peer_tensorflow.py"), *model],
        f"{directory}/ours.log",
        {"PYTHONPATH": f"{HERE.parent}:{HERE}"},
    )
    other = ["--weights", weights, "--precision", flags.precision]
    other += ["--compile"] if flags.compile else []
    other += ["--device", flags.device] if flags.device else []
    try:
        peer = Resident(
            [flags.peer_python, str(HERE / "peer_torch.py"), *other],
            f"{directory}/peer.log",
            # Threads that spin after their work would take cores from the other side's turn.
            {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "PYTHONPATH": str(HERE)},
        )
    except Exception:
        ours.close()
        raise
    return ours, peer


def _difference(ours: Resident, peer: Resident, directory: str) -> dict[str, float]:
    wanted = ours.outputs(f"{directory}/ours_out.npz")
    found = peer.outputs(f"{directory}/peer_out.npz")
    worst = {}
    for name, expected in wanted.items():
        actual = found[name].reshape(expected.shape)
        worst[name] = float(np.abs(actual - expected).max() / np.abs(expected).max())
    return worst


def _timed(flags, ours: Resident, peer: Resident) -> list[dict]:
    rows = []
    for mode in flags.modes:
        timings = take_turns(
            {"ours": lambda: ours.seconds(mode), "peer": lambda: peer.seconds(mode)},  # noqa: B023
            flags.warm_up,
            flags.repeats,
        )
        for side, name in (("ours", ours.name), ("peer", peer.name)):
            rows.append(
                {
                    "what": f"{mode}, {name}",
                    "clips_a_second": flags.batch_size / timings[side].median,
                    **timings[side].as_dict(),
                }
            )
        rows[-2]["times_faster"] = ratio_of_pairs(timings["peer"], timings["ours"])
    return rows


if __name__ == "__main__":
    cli.run(main)
