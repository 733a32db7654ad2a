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


def encode(path, codec, num_frames, *, first=0, options=None, max_b_frames=2, file_format=None):
    """Encodes coded frames `first`, `first` + 1, ... at 25 a second."""
    import av

    with av.open(str(path), "w", format=file_format) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = BITS * BLOCK, 48, "yuv420p"
        stream.bit_rate = 2_000_000
        stream.codec_context.max_b_frames, stream.codec_context.gop_size = max_b_frames, 12
        for number in range(first, first + num_frames):
            picture = av.VideoFrame.from_ndarray(coded_frame(number), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def encoded_packets(codec, num_frames, *, max_b_frames, options=None):
    """(bytes, whether it is a key frame) of each packet in decoding order, and the extradata."""
    import av

    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = BITS * BLOCK, 48, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), 25
    context.max_b_frames, context.gop_size, context.bit_rate = max_b_frames, 12, 2_000_000
    context.options = options or {}
    packets = []
    for number in range(num_frames):
        picture = av.VideoFrame.from_ndarray(coded_frame(number), format="rgb24")
        picture = picture.reformat(format="yuv420p")
        picture.pts, picture.time_base = number, Fraction(1, 25)
        packets += context.encode(picture)
    packets += context.encode(None)
    return [(bytes(packet), packet.is_keyframe) for packet in packets], context.extradata


def write_packets(path, codec, packets, extradata):
    """Writes packets 0, 1, 2, ... with no other times than those of decoding, 25 a second."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = BITS * BLOCK, 48, "yuv420p"
        stream.time_base = Fraction(1, 25)
        if extradata:
            stream.codec_context.extradata = extradata
        for number, (content, is_keyframe) in enumerate(packets):
            packet = av.Packet(content)
            packet.pts = packet.dts = number
            packet.time_base, packet.is_keyframe, packet.stream = (
                Fraction(1, 25),
                is_keyframe,
                stream,
            )
            container.mux(packet)
