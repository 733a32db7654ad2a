"""The playground: a procedural action data set in AVA's own format (docs/playground.md).

    classes    the classes, with AVA's ids
    scene      what a video shows, as plain data: people and their acts, screens, furniture
    script     draws a scene from a seed: who does what, when
    labels     which labels a scene's people carry at a moment, and scenes that differ in one
    motion     an act at a moment -> a body pose
    skeleton   a body pose -> limbs to paint
    backdrop   walls, floors, furniture
    rendering  a scene -> frames and boxes
    dataset    many scenes -> mp4 files, csv and label map

and for the classification set, clips of one person doing one thing:

    action_script   draws the scene of such a clip from a seed
    actions         many clips -> mp4 files in a folder a class
"""

from avatx.playground.actions import generate_actions
from avatx.playground.dataset import SPLITS, Summary, generate

__all__ = ["SPLITS", "Summary", "generate", "generate_actions"]
