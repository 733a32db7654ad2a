"""Actions of Kinetics-400 for the people of any video, from published weights alone."""
