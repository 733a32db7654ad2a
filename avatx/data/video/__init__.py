"""Files and folders of frames to pictures at times, and back."""
