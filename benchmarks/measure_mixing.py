"""How many clips of a batch show the same ten seconds as another one of it.

    python benchmarks/measure_mixing.py --batch_size 30

The order of `avatx.data.input.keyframe_source` over the numbers of records in place of records: the
same steps of tf.data, as many records as AVA's training set has (235 videos of 90 records of ten
keyframes, spread over 64 shards), for some open_segments and shuffle_buffer_size; with the host
memory that the module's arithmetic gives.
"""

import argparse
import collections

import numpy as np
import tensorflow as tf

from avatx import cli

VIDEOS, RECORDS_A_VIDEO, KEYFRAMES_A_RECORD, SHARDS = 235, 90, 10, 64
FRAME_BYTES, FRAMES_A_RECORD, FRAMES_A_CLIP = 55e3, 350, 64
SIZES = ((16, 256), (16, 1024), (32, 1024), (64, 256), (64, 1024), (256, 256))


def order(open_segments: int, buffer_size: int, readers: int) -> tf.data.Dataset:
    """Numbers of records, as often as they have keyframes."""
    records = np.random.default_rng(0).permutation(VIDEOS * RECORDS_A_VIDEO)
    bounds = tf.constant(np.linspace(0, len(records), SHARDS + 1).astype(np.int64))
    records = tf.constant(records)
    segments = (
        tf.data.Dataset.range(SHARDS)
        .shuffle(SHARDS, seed=1)
        .interleave(
            lambda shard: tf.data.Dataset.from_tensor_slices(
                records[bounds[shard] : bounds[shard + 1]]
            ),
            cycle_length=readers,
        )
    )
    keyframes = segments.interleave(
        lambda record: tf.data.Dataset.from_tensors(record).repeat(KEYFRAMES_A_RECORD),
        cycle_length=open_segments,
    )
    return keyframes.shuffle(buffer_size, seed=2)


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch_size", type=int, default=30)
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--num_readers", type=int, default=8)
    flags = parser.parse_args(argv)
    print("open_segments  shuffle_buffer_size  clips with a neighbour  different records  memory")
    for open_segments, buffer_size in SIZES:
        neighbours, different = [], []
        batches = order(open_segments, buffer_size, flags.num_readers).batch(flags.batch_size)
        for batch in batches.skip(20).take(flags.batches).as_numpy_iterator():
            counts = collections.Counter(batch.tolist()).values()
            neighbours.append(sum(n for n in counts if n > 1) / len(batch))
            different.append(len(counts))
        memory = 2 * (open_segments + flags.num_readers) * FRAMES_A_RECORD * FRAME_BYTES
        memory += buffer_size * FRAMES_A_CLIP * FRAME_BYTES
        print(
            f"{open_segments:13}  {buffer_size:19}  {np.mean(neighbours):20.1%}  "
            f"{np.mean(different):17.1f}  {memory / 1e9:4.1f} GB"
        )
    return 0


if __name__ == "__main__":
    cli.run(main)
