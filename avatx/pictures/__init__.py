"""Everything that draws: boxes, attention, embeddings, charts, sheets and pages."""
