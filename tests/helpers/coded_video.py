"""Videos whose frames say which one they are, for the tests of this folder."""

from fractions import Fraction

import numpy as np

from avatx.data.video.video_writer import VideoWriter

BITS = 10
BLOCK = 16
NTSC_FILM = Fraction(24000, 1001)
NTSC = Fraction(30000, 1001)


def coded_frame(number, height=48, width=BITS * BLOCK, background=40):
    """[height, width, 3] uint8: a row of black and white blocks, the bits of `number`."""
    frame = np.full((height, width, 3), background, np.uint8)
    for bit in range(BITS):
        frame[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return frame


def read_code(frame):
    """The number of a coded frame, at any size of it."""
    block_height, block_width = frame.shape[0] / 48 * BLOCK, frame.shape[1] / BITS
    row = int(block_height / 2)
    return sum(
        int(frame[row, int((bit + 0.5) * block_width)].mean() > 127) << bit for bit in range(BITS)
    )


def write_coded_video(path, times_or_rate, num_frames=None):
    """Writes frames 0, 1, 2, ... at a rate or at given times; returns their times in seconds."""
    variable = not isinstance(times_or_rate, (int, float, Fraction))
    times = (
        list(times_or_rate)
        if variable
        else [float(n / Fraction(times_or_rate)) for n in range(num_frames)]
    )
    with VideoWriter(path, 25 if variable else times_or_rate, 48, BITS * BLOCK) as writer:
        for number, time in enumerate(times):
            writer.write(coded_frame(number), *([time] if variable else []))
    return np.array(times)


def variable_times(num_frames, seed=0):
    """Ascending times from 0, steps of 10 to 300 ms, on the video writer's clock (90 kHz)."""
    steps = np.random.default_rng(seed).integers(900, 27_000, num_frames)
    steps[0] = 0
    return np.cumsum(steps) / 90_000


def cut(path, share):
    """Cuts a file to a share of its bytes."""
    with open(path, "rb+") as file:
        file.truncate(int(file.seek(0, 2) * share))


def remux(source, target, file_format=None, options=None):
    """Puts the very packets of `source` into another container."""
    import av

    with (
        av.open(str(source)) as reading,
        av.open(str(target), "w", format=file_format, options=options or {}) as writing,
    ):
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(reading.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                writing.mux(packet)
