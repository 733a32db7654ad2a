"""Who does what, when and where: AVA csv files, label maps, labelled videos, their checks."""
