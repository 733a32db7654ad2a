"""Pictures of what a detector saw: boxes, contact sheets, attention."""
