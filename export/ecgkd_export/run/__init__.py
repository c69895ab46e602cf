"""Runs artefacts in the runtimes that are installed here."""
