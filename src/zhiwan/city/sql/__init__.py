"""SQL that no model can say: rights and row security (rights.py), hot statements of the pipeline."""
