"""docs/config.md: made of the protos, and current."""

import pathlib

import pytest

from avatx.config import document, schema
from avatx.protos import pipeline_pb2

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/config.md").read_text()
MESSAGES = schema.all_messages(pipeline_pb2.PipelineConfig.DESCRIPTOR)

PROTO = """// The head of the file.
syntax = "proto2";

package avatx;

import "avatx/protos/clip.proto";

// A message,
// on two lines.
message Outer {
  // Where it is.
  oneof place {
    // Of one choice.
    Clip clip = 1;
  }

  // Of two
  // fields.
  optional int32 first = 2 [default = 1, (range) = {min: 1}];
  optional int32 second = 3 [
    default = 1,
    (choices) = {
      of: ["1"]
    }
  ];

  optional int32 none = 4;
  message Inner {
    // Inside.
    repeated float third = 1;
  }
}

enum Query {
  HIGH = 0;  // behind it
  // above it
  LOW = 1;
}
"""


def test_comments_are_found_where_they_stand():
    found = document.comments(PROTO)
    assert found == {
        "": "The head of the file.",
        "avatx.Outer": "A message, on two lines.",
        "avatx.Outer.place": "Where it is.",
        "avatx.Outer.clip": "Of one choice.",
        "avatx.Outer.first": "Of two fields.",
        "avatx.Outer.second": "Of two fields.",
        "avatx.Outer.none": "",
        "avatx.Outer.Inner": "",
        "avatx.Outer.Inner.third": "Inside.",
        "avatx.Query": "",
        "avatx.Query.HIGH": "behind it",
        "avatx.Query.LOW": "above it",
    }


def test_the_page_is_current():
    assert document.document(ROOT / "protos") == PAGE, "run `make config-docs`"


def rows(message):
    """The cells of each field's row in the section of `message`."""
    section = PAGE.split(f"\n### {message}\n")[1].split("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return {line.split("`")[1]: line.strip("| ").split(" | ") for line in lines}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_every_field_stands_there_with_a_meaning(message):
    found = rows(message.name)
    assert list(found) == [field.name for field in message.fields]
    for name, cells in found.items():
        assert len(cells) == 4, f"{message.name}.{name} has no comment in its proto"


def test_default_values_unit_and_reader_are_told():
    page = " ".join(PAGE.split())
    assert "| `dropout` | `0.3` | in [0, 1) | Probability" in page
    assert "| `frame_rate` | `25` | in [0.001, 1000]; frames a second | Frames a second" in page
    assert "| `query` | `HIGH_RES` | `HIGH_RES` `LOW_RES` | How" in page
    assert "| `scales` | required | list of: more than 0 | Factors" in page
    assert "is its middle. A video's scores are the mean over all clips and crops. Read by" in page
    assert "Exactly one of `tx_box_predictor` or `i3d_box_predictor` or" in page
