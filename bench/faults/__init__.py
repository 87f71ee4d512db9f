"""Faults done to a real product, and what is left after each. Started by bench/faults/run; see bench/README.md."""
