"""Who does what, when and where: AVA csv files, label maps, lists of labelled videos, their checks."""
