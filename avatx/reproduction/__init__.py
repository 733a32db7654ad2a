"""The paper's comparisons, repeated: which rows there are, running them, and the tables."""
