"""Publication of feeds: files in a folder and copies on remote servers."""
