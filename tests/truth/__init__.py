"""What the pipeline says of simulated towns, held against what is true of them. ``make truth``."""
