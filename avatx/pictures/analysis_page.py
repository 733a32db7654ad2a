"""One HTML page of `avatx.evaluation.analysis.analyze`: charts and numbers, nothing to load."""

from collections.abc import Sequence
from html import escape
from typing import Any

from avatx.pictures import charts
from avatx.pictures.colours import OTHER_ACTION, group_colour, group_colours

KIND_NAMES = {
    "true_positive": "true",
    "duplicate": "duplicate",
    "similar_action": "similar action",
    "other_action": "other action",
    "localization": "localisation",
    "box_and_action": "box and action",
    "background": "background",
}
GROUP_NAMES = {
    "PERSON_MOVEMENT": "pose",
    "OBJECT_MANIPULATION": "with objects",
    "PERSON_INTERACTION": "with people",
}
_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1rem; max-width: 46rem; background: #fff; color: #222;
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
p.sources, figcaption, td.note { color: #555; font-size: .88rem; }
p.note { border-left: 4px solid #e69f00; padding: .3rem .8rem; background: #fff8e8; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem;
  margin: 1rem 0; }
dl div { border: 1px solid #ddd; border-radius: .4rem; padding: .4rem .7rem; }
dt { color: #555; font-size: .8rem; } dd { margin: 0; font-size: 1.25rem; }
figure { margin: 0; } figure svg { display: block; width: 100%; height: auto; max-width: 40rem; }
.wide { overflow-x: auto; } .wide svg { max-width: none; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: right; padding: .15rem .45rem; border-bottom: 1px solid #e5e5e5;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, .text { text-align: left; }
td { vertical-align: top; } td:first-child { min-width: 5.5rem; }
p { overflow-wrap: anywhere; } .scroll { overflow-x: auto; }
summary { cursor: pointer; color: #1a5fa0; margin: .6rem 0; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; }
  figure, table tr, dl { break-inside: avoid; } h2 { break-after: avoid; }
  .wide, .scroll { overflow: visible; } .wide svg { width: 100% !important; } }
"""


def analysis_page(
    analysis: dict[str, Any],
    title: str,
    sources: dict[str, str],
    kinds: dict[str, str],
    findings: Sequence[str] = (),
) -> str:
    """The whole page.

    Args:
      analysis: of `analyze`.
      title: heading and title.
      sources: what it was made from, name to file.
      kinds: of `avatx.evaluation.false_positives.describe_kinds`.
      findings: sentences that go before everything.

    Returns:
      HTML text without a script or an address.
    """
    names = {row["id"]: row["name"] for row in analysis["by_class"]}
    parts = [
        f"<h1>{escape(title)}</h1>",
        '<p class="sources">'
        + "<br>".join(f"{escape(name)}: {escape(path)}" for name, path in sources.items())
        + "</p>",
        *(f'<p class="note">{escape(finding)}</p>' for finding in findings),
        _summary(analysis),
        *_by_class(analysis),
        *_by_group(analysis),
        *_by_area(analysis),
        *_by_people(analysis),
        *_false_positives(analysis, kinds),
        *_confusion(analysis, names),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _summary(analysis) -> str:
    iou = f"{analysis['iou_threshold']:g}"
    entries = {
        f"mAP at IoU {iou}": _number(analysis["mAP"]),
        "person AP at IoU 0.5": _number(analysis["person_AP"]),
        "person AP at IoU 0.75": _number(analysis["person_AP_75"]),
        "classes with groundtruth": f"{analysis['num_classes_with_groundtruth']} of "
        f"{len(analysis['by_class'])}",
        "keyframes": f"{analysis['num_keyframes']:,}",
        "people with labels": f"{analysis['num_people']:,}",
        "labels": f"{analysis['num_groundtruth']:,}",
        "detections that count": f"{analysis['num_detections']:,}",
    }
    cells = "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in entries.items())
    return (
        f'<dl>{cells}</dl><p class="sources">Protocol {escape(analysis["protocol"])}. mAP is the '
        "mean of the classes' average precision; person AP is that of all classes merged into "
        "one, after one suppression of overlapping detections.</p>"
    )


def _figure(svg: str, caption: str, wide: float = 0.0) -> str:
    if wide:
        svg = svg.replace("<svg", f'<svg style="width: {wide:.0f}px"', 1)
    kind = ' class="wide"' if wide else ""
    return f"<figure><div{kind}>{svg}</div><figcaption>{caption}</figcaption></figure>"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]], text: Sequence[str] = ()) -> str:
    """The first column and those named in `text` flush left, the others right."""

    def line(cells, tag):
        return "".join(
            f"<{tag}{' class=text' if name in text else ''}>{escape(str(cell))}</{tag}>"
            for name, cell in zip(head, cells, strict=True)
        )

    lines = [line(row, "td") for row in rows]
    return (
        f'<div class="scroll"><table><thead><tr>{line(head, "th")}</tr>'
        f"</thead><tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody></table></div>"
    )


def _details(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _group(name: str) -> str:
    return GROUP_NAMES.get(name, name)


def _by_class(analysis) -> list[str]:
    rows = analysis["by_class"][::-1]  # the most frequent on top
    trained = rows[0]["num_training_labels"] is not None
    what = "training labels" if trained else "groundtruth labels"
    counts = [row["num_training_labels" if trained else "num_groundtruth"] for row in rows]
    correlation = analysis["rank_correlation"]
    caption = (
        "Average precision of each class, the class with the most "
        f"{what} on top; green line: number of {what} (logarithmic axis). n/a: no "
        "groundtruth, not part of the mean."
    )
    if not trained:
        caption += " No training annotations were given, so groundtruth labels are counted."
    if correlation is not None:
        caption += f" Rank correlation (Spearman) of the two: {correlation:.2f}."
    colours = group_colours([one["group"] for one in analysis["by_group"]])
    # Where there are groups, a class without one is told from them.
    others = {"other": OTHER_ACTION} if colours and not all(row["group"] for row in rows) else {}
    chart = charts.class_bars(
        "class",
        [row["name"] for row in rows],
        [row["ap"] for row in rows],
        [group_colour(row["group"], colours) for row in rows],
        {**{_group(name): colour for name, colour in colours.items()}, **others},
        counts,
        "average precision",
        what,
    )
    table = _table(
        ["class", "id", "AP", "training labels", "groundtruth", "detections", "true"],
        [
            [
                row["name"],
                row["id"],
                _number(row["ap"]),
                "–" if row["num_training_labels"] is None else row["num_training_labels"],
                row["num_groundtruth"],
                row["num_detections"],
                row["num_true_positives"],
            ]
            for row in rows
        ],
    )
    return ["<h2>By class</h2>", _figure(chart, caption), _details("The numbers", table)]


def _part_row(one) -> list[Any]:
    return [
        _number(one["mAP"]),
        one["num_classes_with_groundtruth"],
        one["num_groundtruth"],
        one["num_detections"],
        one["num_true_positives"],
    ]


_PART_HEAD = ["mAP", "classes", "groundtruth", "detections", "true"]


def _by_group(analysis) -> list[str]:
    groups = analysis["by_group"]
    if not groups:
        return []
    table = _table(
        ["group", *_PART_HEAD], [[_group(one["group"]), *_part_row(one)] for one in groups]
    )
    caption = (
        "mAP: the mean over the group's classes that have groundtruth (column classes). Groups "
        "are the label map's label_type, or AVA's: poses, actions with objects, with people."
    )
    return [
        "<h2>By group of actions</h2>",
        f"<figure>{table}<figcaption>{caption}</figcaption></figure>",
    ]


def _by_area(analysis) -> list[str]:
    bins = analysis["by_area"]
    # Boxes in pixels on both sides are scored as well as others, but no area is a share then.
    shares = all(one["low"] <= 1 for one in bins)
    if shares:
        ends = [1.0 if one["high"] is None else one["high"] for one in bins]
        labels = [
            f"{100 * one['low']:.3g}–{100 * end:.3g} %" for one, end in zip(bins, ends, strict=True)
        ]
    else:
        ends = ["" if one["high"] is None else f"{one['high']:.3g}" for one in bins]
        labels = [f"{one['low']:.3g}–{end}" for one, end in zip(bins, ends, strict=True)]
    chart = charts.bars_under_line(
        "area",
        [label.replace("–", "–\n") if len(bins) > 4 else label for label in labels],
        [one["mAP"] for one in bins],
        [one["num_people"] for one in bins],
        "mAP",
        "people",
    )
    caption = (
        "mAP by the share of the frame that the person's box covers; green line: people in the "
        "bin. Bins hold equally many people (different groundtruth boxes with an evaluated "
        "label). A detection whose best box of its class reaches IoU "
        f"{analysis['iou_threshold']:g} is in that box's bin, any other in the bin of its own "
        "area, so bins add up to the whole. Each bin's mean is over the classes that it has "
        "groundtruth of."
    )
    if not shares:
        caption += (
            " The boxes of this groundtruth are not in fractions of the frame, so areas "
            "here are height × width as the file has them."
        )
    rows = [
        [label, one["num_people"], *_part_row(one)] for label, one in zip(labels, bins, strict=True)
    ]
    table = _table(["area", "people", *_PART_HEAD], rows)
    return [
        "<h2>By size of the person</h2>",
        _figure(chart, caption),
        _details("The numbers", table),
    ]


def _by_people(analysis) -> list[str]:
    bins = analysis["by_people"]

    def label(one):
        if one["high"] is None:
            return f"{one['low']} and more"
        return str(one["low"]) if one["low"] == one["high"] else f"{one['low']}–{one['high']}"

    labels = [label(one) for one in bins]
    chart = charts.bars_under_line(
        "people",
        labels,
        [one["mAP"] for one in bins],
        [one["num_keyframes"] for one in bins],
        "mAP",
        "keyframes",
    )
    caption = (
        "mAP by the number of people (different groundtruth boxes) in the keyframe; green line: "
        "keyframes in the bin. Each bin's mean is over the classes that it has groundtruth of; "
        "keyframes without anybody are in no bin."
    )
    rows = [
        [one, of["num_keyframes"], *_part_row(of)] for one, of in zip(labels, bins, strict=True)
    ]
    table = _table(["people", "keyframes", *_PART_HEAD], rows)
    return ["<h2>By number of people</h2>", _figure(chart, caption), _details("The numbers", table)]


def _false_positives(analysis, kinds) -> list[str]:
    counted = analysis["false_positives"]
    scopes = {"top": "best N of each class", "all": "all detections"}
    chart = charts.stacked_bars(
        "false-positives",
        list(scopes.values()),
        {KIND_NAMES[kind]: [counted[scope][kind] for scope in scopes] for kind in kinds},
        "share of the detections",
    )
    caption = (
        "What each detection is. Upper bar: each class's N best detections, N being the number of "
        "its groundtruth labels (after Hoiem et al. 2012): a perfect detector has true ones alone "
        "there. Lower bar: all that count. The first kind that fits is taken, in this order. "
        f"Of the confusions, {counted['confused_with_neighbour']:,} are of an action that another "
        "person of the keyframe does."
    )
    if not analysis["by_group"]:
        caption += " The label map has no groups of actions, so none is similar to another."
    rows = [
        [KIND_NAMES[kind], counted["top"][kind], counted["all"][kind], text]
        for kind, text in kinds.items()
    ]
    table = _table(["kind", "best N", "all", "what it is"], rows, ["what it is"])
    classes = [
        row
        for row in analysis["by_class"][::-1]
        if sum(counted["per_class"][str(row["id"])]["top"].values())
    ]
    parts = ["<h2>False positives by kind</h2>", _figure(chart, caption), table]
    if classes:
        of_classes = charts.stacked_bars(
            "false-positives-of-classes",
            [row["name"] for row in classes],
            {
                KIND_NAMES[kind]: [
                    counted["per_class"][str(row["id"])]["top"][kind] for row in classes
                ]
                for kind in kinds
            },
            "share of the class's N best detections",
        )
        caption = "The same for the N best detections of each class; classes as in the first chart."
        parts.append(_details("Class by class", _figure(of_classes, caption)))
    return parts


def _confusion(analysis, names) -> list[str]:
    confusion = analysis["confusion"]
    rows = [i for i, row in enumerate(confusion["matrix"]) if row is not None]
    caption = (
        "Rows: what a person does; columns: what it was taken for, in percent of the people of the "
        "row. A person with k labels is compared with the k classes that score highest on it: a "
        "label among them counts in its own column; one that is missing is shared evenly by the "
        "classes that took the place (“nothing”, the first column, where fewer than k were "
        "detected). So rows add up "
        "to 100; white is 0, black 100. "
        f"Over the {confusion['num_matched_people']:,} people on whom a detection lies (IoU "
        f"{analysis['iou_threshold']:g} or more, with the person that it overlaps most); "
        f"{confusion['num_unmatched_people']:,} more have none."
    )
    parts = ["<h2>Confusion of actions</h2>"]
    if not rows:
        return [*parts, "<p>No detection lies on a person.</p>"]
    nothing = len(confusion["class_ids"])
    columns = [nothing, *rows]  # first, for with many classes the right side has to be scrolled to
    labels = [names[confusion["class_ids"][i]] for i in rows]
    chart = charts.matrix(
        "confusion",
        labels,
        ["nothing", *labels],
        [[confusion["matrix"][i][j] for j in columns] for i in rows],
        "does",
        "taken for",
    )
    wide = 0.0 if len(rows) <= 15 else 15.0 * len(columns) + 170
    parts.append(_figure(chart, caption, wide))
    shares = [
        [
            label,
            confusion["num_people"][i],
            *(f"{100 * confusion['matrix'][i][j]:.1f} %" for j in (i, nothing)),
        ]
        for i, label in zip(rows, labels, strict=True)
    ]
    head = ["does", "people", "taken for it", "for nothing"]
    parts.append(_details("The numbers", _table(head, shares)))
    pairs = [
        [
            names[pair["label"]],
            names[pair["taken_for"]],
            f"{pair['people']:.1f}",
            f"{100 * pair['share']:.1f} %",
        ]
        for pair in confusion["pairs"]
    ]
    table = _table(["does", "taken for", "people", "of those who do it"], pairs, ["taken for"])
    return [*parts, "<h2>Most frequent confusions</h2>", table] if pairs else parts
