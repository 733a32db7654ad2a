"""Damages a good input: seeded, so that a case is found again by its seed and number."""

import random
from collections.abc import Sequence

_INTERESTING = (0, 1, 9, 10, 13, 32, 34, 39, 44, 92, 127, 128, 0xBF, 0xC3, 0xEF, 0xFF)


def mutate(data: bytes, words: Sequence[bytes], generator: random.Random) -> bytes:
    """A copy of `data` with one to a few changes.

    Args:
      data: a good input.
      words: what the input's grammar is made of, and what it does not foresee.
      generator: decides everything.
    """
    changed = bytearray(data)
    for _ in range(min(1 + int(generator.expovariate(1.2)), 8)):
        _change(changed, words, generator)
    return bytes(changed)


def _change(data: bytearray, words: Sequence[bytes], generator: random.Random) -> None:
    at = generator.randrange(len(data) + 1)
    until = min(at + 1 + int(generator.expovariate(0.5)), len(data))
    kind = generator.randrange(9)
    if kind == 0:
        data[at:at] = generator.choice(words)
    elif kind == 1:
        data[at:until] = generator.choice(words)
    elif kind == 2:
        del data[at:until]
    elif kind == 3:
        data[at:at] = data[at:until] * generator.choice((1, 2, 3, 20))
    elif kind == 4 and at < len(data):
        data[at] ^= 1 << generator.randrange(8)
    elif kind == 5 and at < len(data):
        data[at] = generator.choice(_INTERESTING)
    elif kind == 6:
        other = generator.randrange(len(data) + 1)
        part = bytes(data[at:until])
        data[other:other] = part
    elif kind == 7:
        del data[at : len(data) if generator.random() < 0.3 else until]
    else:
        data[at:at] = bytes([generator.choice(_INTERESTING)])
