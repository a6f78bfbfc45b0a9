"""A small project around a sentiment model, for `test_ai_model.py`."""
