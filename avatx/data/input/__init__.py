"""From records to clips, augmented, in batches."""
