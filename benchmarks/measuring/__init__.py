"""What the benchmarks share: timing, counting, describing the machine, and writing it down."""
