"""Recordings: prepared sets, readers of other formats, download, and what is known about public sets."""
