"""What is measured and compared, apart from what is tested; see `run.py`."""
