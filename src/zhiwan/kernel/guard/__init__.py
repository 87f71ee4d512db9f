"""Who may do and see what, and the proof of what was done. Pure: no input, no output, time is an argument."""
