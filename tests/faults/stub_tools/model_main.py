"""Stands for tools/model_main.py in `reproduction.py`: a training that is done at once."""

import json
import os
import sys

directory = sys.argv[sys.argv.index("--model_dir") + 1]
os.makedirs(directory, exist_ok=True)
partial = os.path.join(directory, f"metrics.json.{os.getpid()}")
with open(partial, "w") as file:
    classes = {"1": {"name": "stand", "ap": 0.5, "num_groundtruth": 3}}
    json.dump({"mAP": 0.5, "person_AP": 0.7, "person_AP_75": 0.2, "per_class": classes}, file)
os.replace(partial, os.path.join(directory, "metrics.json"))
