"""Top-1 and top-5 accuracy over whole videos, each seen in several clips and crops (views).

A video's scores are the mean of its views' softmax scores ("Quo Vadis, Action Recognition?",
https://arxiv.org/abs/1705.07750, section 2.5: predictions are averaged over the whole video). The
views may come in any order and in any batches. No TensorFlow here.
"""

from typing import Any

import numpy as np

from avatx.evaluation.metrics import TOP


class VideoScores:
    """Collects the views of videos and averages them."""

    def __init__(self):
        self._sums: dict[int, np.ndarray] = {}
        self._views: dict[int, set] = {}
        self._labels: dict[int, int] = {}

    def add(self, scores, labels, video_index, view, valid) -> None:
        """Adds the valid views of a batch; all arguments are arrays of the batch.

        Args:
          scores: [B, C] float, class scores.
          labels: [B] int, class id - 1.
          video_index: [B] int, which video.
          view: [B] int, which view of it; a view that comes again is left out.
          valid: [B] bool, False for padding.
        """
        for i in np.flatnonzero(valid):
            video = int(video_index[i])
            views = self._views.setdefault(video, set())
            if int(view[i]) in views:
                continue
            views.add(int(view[i]))
            self._labels[video] = int(labels[i])
            self._sums[video] = self._sums.get(video, 0.0) + scores[i].astype(np.float64)

    @property
    def num_videos(self) -> int:
        """Videos of which there is a view."""
        return len(self._views)

    @property
    def num_views(self) -> int:
        """Views of all videos."""
        return sum(map(len, self._views.values()))

    def mean_scores(self) -> dict[int, np.ndarray]:
        """Video -> [C] float64."""
        return {video: total / len(self._views[video]) for video, total in self._sums.items()}

    def ranks(self) -> dict[int, int]:
        """Video -> how many classes score above its label (of equal ones, the earlier ids)."""
        ranks = {}
        for video, scores in self.mean_scores().items():
            label = self._labels[video]
            above = np.sum(scores > scores[label]) + np.sum(scores[:label] == scores[label])
            # Scores that are no numbers say nothing about any class.
            ranks[video] = int(above) if np.all(np.isfinite(scores)) else len(scores)
        return ranks

    def metrics(self, class_names: dict[int, str]) -> dict[str, Any]:
        """The numbers of an evaluation; accuracies are None where there is no video.

        Args:
          class_names: id -> name. A class of videos that it lacks counts like any other.

        Returns:
          JSON-like: top_1, top_5, mean_class_accuracy (of top-1, over the classes that have
          videos), num_videos, num_views, and per_class: id -> name, num_videos, top_1.
        """
        ranks = self.ranks()
        per_class, accuracies = {}, []
        nameless = {label + 1: "" for label in sorted(set(self._labels.values()))}
        for class_id, name in {**nameless, **class_names}.items():
            label = class_id - 1
            of_class = [rank for video, rank in ranks.items() if self._labels[video] == label]
            accuracy = _share_below(of_class, 1)
            if accuracy is not None:
                accuracies.append(accuracy)
            per_class[str(class_id)] = {
                "name": name,
                "num_videos": len(of_class),
                "top_1": accuracy,
            }
        return {
            **{f"top_{k}": _share_below(list(ranks.values()), k) for k in TOP},
            "mean_class_accuracy": float(np.mean(accuracies)) if accuracies else None,
            "num_videos": len(ranks),
            "num_views": self.num_views,
            "per_class": per_class,
        }


def _share_below(ranks, k: int) -> float | None:
    return float(np.mean(np.array(ranks) < k)) if len(ranks) else None
