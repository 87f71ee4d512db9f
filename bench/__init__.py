"""Measurements of Zhiwan. How to run and read them: README.md beside this file."""
