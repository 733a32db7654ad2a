"""Which frames are kept, worked out by hand; and that no frame number makes it slow."""

import pytest

from avatx.importing.keyframes import choose_keyframes


@pytest.mark.parametrize(
    "people, listed, frame_rate, every, expected",
    [
        # Each frame annotated: the multiples of `every`, with and without people.
        (range(13), range(31), 10, 1, [0, 10, 20, 30]),
        # Once a second, beside the grid, all frames listed: all of them and nothing else.
        ([5, 15, 25, 45], range(60), 10, 1, [5, 15, 25, 45]),
        ([0, 30, 60, 1500], range(2000), 29.97, 1, [0, 30, 60, 1500]),
        # Only chosen frames are listed, so that nobody is at 25.
        ([5, 15, 35, 45], [5, 15, 25, 35, 45], 10, 1, [5, 15, 25, 35, 45]),
        # Every third frame: the nearest to each second.
        (range(0, 60, 3), range(0, 60, 3), 10, 1, [0, 9, 21, 30, 39, 51]),
        # One pair of neighbours does not throw the others away, each in the middle of two moments.
        ([5, 15, 25, 35, 38], [], 10, 1, [5, 15, 25, 35]),
        ([13, 300, 303, 600, 688], range(800), 25, 1, [13, 300, 600, 688]),
        ([12, 40, 65, 90, 95], range(800), 25, 1, [12, 40, 65, 90]),
        # Every tenth frame, of a film whose frames are all listed: nobody looked at 25 and 75.
        (range(0, 201, 10), range(201), 25, 1, [0, 20, 50, 70, 100, 120, 150, 170, 200]),
        (range(0, 150, 4), range(150), 30, 1, [0, 28, 60, 88, 120]),
        (range(5, 300, 25), range(300), 25, 2, [55, 105, 155, 205, 255]),
        ([0, 10, 190], range(201), 25, 1, [0, 190]),
        # All between two moments.
        ([5, 6, 7], [], 10, 1, [5]),
        ([7], range(100), 10, 1, [7]),
        ([], range(100), 10, 1, []),
        ([], range(0, 30, 10), 10, 1, [0, 10, 20]),
        # 0, and less than a frame, keep all; not what may never have been looked at.
        ([0, 30, 60], range(90), 30, 0, [0, 30, 60]),
        ([0, 30, 60], range(90), 30, 1e-9, [0, 30, 60]),
        ([0, 1, 2], range(5), 30, 0, [0, 1, 2, 3, 4]),
    ],
)
def test_keyframes(people, listed, frame_rate, every, expected):
    assert choose_keyframes(people, listed, frame_rate, every)[0] == expected


def test_somebody_without_a_box_is_not_nobody():
    # A track drawn at 0, 4 and 20 goes on between: 10 is no moment without people, 30 is.
    chosen, trusted = choose_keyframes([0, 4, 20], range(31), 10, 1, hidden=[(0, 4), (4, 20)])
    assert (chosen, trusted) == ([0, 20, 30], True)


@pytest.mark.timeout(60)  # a loop over so many frame numbers takes minutes and gigabytes
@pytest.mark.parametrize("every", [0, 1e-9, 1, 1e5])
def test_enormous_numbers_take_no_time(every):
    kept = choose_keyframes([0, 3, 999_999_999], [], 30, every)[0]
    assert kept[-1] > 990_000_000 and len(kept) <= 3
    with pytest.raises(ValueError, match="1,000,000,000 frames"):
        choose_keyframes([0, 1, 2], range(1_000_000_000), 30, every)
