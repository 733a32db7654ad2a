r"""Runs a command and writes down, as it goes, its memory, open files and threads (Linux).

    python tests/soak/watch.py --output training.csv -- python tools/model_main.py ...

A line every `--every` seconds: seconds, resident memory (MB) without pages of files, open files,
threads; of the command's process alone. Then what docs/reliability.md shows: the means of the
quarters of the time after the warm-up, the first tenth.
"""

import argparse
import csv
import os
import pathlib
import subprocess
import sys
import time


def look_at(process: int) -> tuple[float, int, int]:
    """Memory of its own in MB, open files, threads."""
    status = dict(
        line.split(":", 1)
        for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines()
    )
    memory = int(status["RssAnon"].split()[0]) / 1024
    return memory, len(os.listdir(f"/proc/{process}/fd")), int(status["Threads"])


def quarters(rows: list[tuple[float, float, int, int]]) -> list[tuple[float, ...]]:
    """Means of each column over the quarters of the time after the first tenth."""
    rows = [row for row in rows if row[0] >= rows[-1][0] / 10]
    size = len(rows) / 4
    parts = [rows[int(i * size) : int((i + 1) * size)] for i in range(4)]
    return [tuple(sum(column) / len(part) for column in zip(*part, strict=True)) for part in parts]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True, help="csv")
    parser.add_argument("--every", type=float, default=5.0, help="seconds (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=0, help="end it then, by SIGTERM")
    parser.add_argument("command", nargs="+")
    flags = parser.parse_args()
    begin, rows = time.monotonic(), []
    process = subprocess.Popen(flags.command)
    with open(flags.output, "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("seconds", "memory_mb", "open_files", "threads"))
        while True:
            try:
                process.wait(flags.every)
                break
            except subprocess.TimeoutExpired:
                pass
            seconds = time.monotonic() - begin
            rows.append((seconds, *look_at(process.pid)))
            lines.writerow([round(value, 1) for value in rows[-1]])
            file.flush()
            if flags.seconds and seconds > flags.seconds:
                process.terminate()
    print(f"{flags.command[0]}: exit code {process.returncode}, {time.monotonic() - begin:.0f} s")
    if len(rows) >= 40:
        for number, (_, memory, files, threads) in enumerate(quarters(rows), 1):
            print(f"quarter {number}: {memory:.1f} MB, {files:.2f} files, {threads:.2f} threads")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
