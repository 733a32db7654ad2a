"""The rows of the paper's tables, and what the paper claims of their order.

A row's name is that of its file in configs/ava/ and configs/playground/. Numbers are the paper's,
in percent, on AVA v2.1's validation set (https://arxiv.org/abs/1812.02707, tables 1 to 5).
"""

from typing import NamedTuple

# Metrics are the names in metrics.json.
MAP, PERSON_AP, PERSON_AP_75 = "mAP", "person_AP", "person_AP_75"


class Line(NamedTuple):
    """One line of a table: the row's name, the paper's cells, the paper's numbers by metric."""

    row: str
    cells: tuple[str, ...]
    paper: dict[str, float]


class Table(NamedTuple):
    """A table of the paper; `columns` head the cells, `metrics` are shown as ours and theirs."""

    title: str
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    lines: tuple[Line, ...]


class Ordering(NamedTuple):
    """A claim: `better` is above the best of `others` in `metric`."""

    claim: str
    better: str
    others: tuple[str, ...]
    metric: str = MAP


TABLES = (
    Table(
        "Table 1. Action classification with groundtruth boxes (R = 64 where there is an RPN)",
        ("Trunk", "Head", "QPr", "GT boxes"),
        (MAP,),
        (
            Line("i3d_r64", ("I3D", "I3D", "-", ""), {MAP: 21.3}),
            Line("i3d_gt", ("I3D", "I3D", "-", "yes"), {MAP: 23.4}),
            Line("tx_lowres_r64", ("I3D", "Tx", "LowRes", ""), {MAP: 17.8}),
            Line("tx_highres_r64", ("I3D", "Tx", "HighRes", ""), {MAP: 18.9}),
            Line("tx_lowres_gt", ("I3D", "Tx", "LowRes", "yes"), {MAP: 28.5}),
            Line("tx_highres_gt", ("I3D", "Tx", "HighRes", "yes"), {MAP: 27.6}),
        ),
    ),
    Table(
        "Table 2. Localisation, action-agnostic",
        ("RoI source", "QPr", "Head"),
        (PERSON_AP, PERSON_AP_75),
        (
            Line("i3d_r64", ("RPN", "-", "I3D"), {PERSON_AP: 92.9, PERSON_AP_75: 77.5}),
            Line("tx_lowres_r64", ("RPN", "LowRes", "Tx"), {PERSON_AP: 77.5, PERSON_AP_75: 43.5}),
            Line("tx_highres_r64", ("RPN", "HighRes", "Tx"), {PERSON_AP: 87.7, PERSON_AP_75: 63.3}),
        ),
    ),
    Table(
        "Table 3. Overall performance",
        ("Head", "QPr", "proposals"),
        (MAP,),
        (
            Line("i3d_r64", ("I3D", "-", "64"), {MAP: 21.3}),
            Line("i3d_r300", ("I3D", "-", "300"), {MAP: 20.5}),
            Line("tx_highres_r64", ("Tx", "HighRes", "64"), {MAP: 18.9}),
            Line("tx_highres_r300", ("Tx", "HighRes", "300"), {MAP: 24.4}),
            Line("tx_i3d_r300", ("Tx+I3D", "HighRes", "300"), {MAP: 24.9}),
        ),
    ),
    Table(
        "Table 4. Ours",
        ("Method",),
        (MAP,),
        (
            Line("tx_highres_r300", ("Tx-only head",), {MAP: 24.4}),
            Line("tx_i3d_r300", ("Tx+I3D head",), {MAP: 24.9}),
            Line("tx_i3d_r300_96f", ("Tx+I3D+96f",), {MAP: 25.0}),
        ),
    ),
    Table(
        "Table 5. Augmentation, pre-training and class-agnostic regression",
        ("Model",),
        (MAP,),
        (
            Line("i3d_r64", ("I3D head",), {MAP: 21.3}),
            Line("i3d_r64_class_specific", ("Cls-specific bbox-reg",), {MAP: 19.2}),
            Line("i3d_r64_no_augmentation", ("No Data Aug",), {MAP: 16.6}),
            Line("i3d_r64_from_scratch", ("From Scratch",), {MAP: 19.1}),
        ),
    ),
)

ORDERINGS = (
    Ordering("GT boxes: Tx LowRes over the I3D head", "tx_lowres_gt", ("i3d_gt",)),
    Ordering("GT boxes: Tx HighRes over the I3D head", "tx_highres_gt", ("i3d_gt",)),
    Ordering("I3D head: GT boxes over RPN", "i3d_gt", ("i3d_r64",)),
    Ordering(
        "Localisation at 0.5: HighRes over LowRes",
        "tx_highres_r64",
        ("tx_lowres_r64",),
        PERSON_AP,
    ),
    Ordering(
        "Localisation at 0.75: HighRes over LowRes",
        "tx_highres_r64",
        ("tx_lowres_r64",),
        PERSON_AP_75,
    ),
    Ordering("Localisation at 0.5: I3D over Tx HighRes", "i3d_r64", ("tx_highres_r64",), PERSON_AP),
    Ordering(
        "Localisation at 0.75: I3D over Tx HighRes", "i3d_r64", ("tx_highres_r64",), PERSON_AP_75
    ),
    Ordering("Tx: 300 over 64 proposals", "tx_highres_r300", ("tx_highres_r64",)),
    Ordering("RPN, 300 proposals: Tx over the I3D head", "tx_highres_r300", ("i3d_r300",)),
    Ordering(
        "Tx + I3D best of all with RPN",
        "tx_i3d_r300",
        ("i3d_r64", "i3d_r300", "tx_lowres_r64", "tx_highres_r64", "tx_highres_r300"),
    ),
    Ordering("96 over 64 frames at test time", "tx_i3d_r300_96f", ("tx_i3d_r300",)),
    Ordering("Class-agnostic over class-specific boxes", "i3d_r64", ("i3d_r64_class_specific",)),
    Ordering("Augmentation over none", "i3d_r64", ("i3d_r64_no_augmentation",)),
    Ordering("Pre-trained over from scratch", "i3d_r64", ("i3d_r64_from_scratch",)),
)

# Rows that are another row's checkpoint under another config.
EVALUATED_FROM = {"tx_i3d_r300_96f": "tx_i3d_r300"}

ROWS = tuple(dict.fromkeys(line.row for table in TABLES for line in table.lines))
