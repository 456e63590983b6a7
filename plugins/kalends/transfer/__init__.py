"""Import and export of whole stores, in the layouts of other servers."""
