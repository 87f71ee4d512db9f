"""One module per format. Each turns bytes into readings and problems, knows nothing of devices, and guesses nothing."""
