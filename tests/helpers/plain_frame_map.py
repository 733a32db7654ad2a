"""AVA's frame-mAP written down plainly, rule by rule, in loops: what the fast one must equal.

Rows are tuples (video, timestamp, box or None, class id, score or person id), box
(ymin, xmin, ymax, xmax). Only the rules of AVA_2020 and AVA_2019; the heap is a sorted list
where the order of equal scores does not matter and Python's heapq where it does.
"""

import heapq


def key_of(row):
    return row[0], f"{row[1]:.6f}"


def iou(a, b):
    height = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    width = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    intersection = height * width
    area = (a[2] - a[0]) * (a[3] - a[1])
    other = (b[2] - b[0]) * (b[3] - b[1])
    return intersection / (area + other - intersection)


def through_heap(rows, capacity):
    """{key: [(score, class id, box)] by descending score} in the order of first appearance."""
    heaps = {}
    for row in rows:
        heap = heaps.setdefault(key_of(row), [])
        entry = (row[4], row[3], *row[2])
        if capacity is None or len(heap) < capacity:
            heapq.heappush(heap, entry)
        elif entry[0] > heap[0][0]:
            heapq.heapreplace(heap, entry)
    return {
        key: [(e[0], e[1], e[2:]) for e in sorted(heap, key=lambda e: -e[0])]
        for key, heap in heaps.items()
    }


def plain_evaluate(groundtruth, detections, class_ids, *, protocol, iou_threshold, excluded=()):
    """{class id: (average precision or None, groundtruth, detections, true positives)}."""
    excluded = {(video, f"{timestamp:.6f}") for video, timestamp in excluded}
    included = {key_of(row) for row in groundtruth} - excluded
    wanted = [
        row
        for row in groundtruth
        if row[2] is not None and row[3] in class_ids and key_of(row) not in excluded
    ]
    found = []
    for row in detections:
        if row[2] is None or row[3] not in class_ids or key_of(row) in excluded:
            continue
        if protocol == "AVA_2020" and key_of(row) not in included:
            continue
        found.append(row)
    wanted, found = through_heap(wanted, None), through_heap(found, 50)

    results = {}
    for class_id in class_ids:
        number = sum(c == class_id for entries in wanted.values() for _, c, _ in entries)
        hits = []  # (score, true or false)
        for key, entries in found.items():
            boxes = [box for _, c, box in wanted.get(key, []) if c == class_id]
            free = [True] * len(boxes)
            for score, c, box in entries:
                if c != class_id or not (box[0] < box[2] and box[1] < box[3]):
                    continue
                overlaps = [iou(box, other) for other in boxes]
                best = overlaps.index(max(overlaps)) if overlaps else None
                true = best is not None and overlaps[best] >= iou_threshold and free[best]
                if true:
                    free[best] = False
                hits.append((score, true))
        hits = sorted(hits, key=lambda hit: hit[0])[::-1]
        results[class_id] = (
            plain_average_precision([true for _, true in hits], number),
            number,
            len(hits),
            sum(true for _, true in hits),
        )
    return results


def plain_average_precision(hits, number):
    if number == 0:
        return None
    points, true = [(0.0, 0.0)], 0
    for rank, hit in enumerate(hits, start=1):
        true += hit
        points.append((true / number, true / rank))
    area = 0.0
    for i in range(1, len(points)):
        highest = max(precision for _, precision in points[i:])
        area += (points[i][0] - points[i - 1][0]) * highest
    return area
