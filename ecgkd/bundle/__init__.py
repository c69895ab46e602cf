"""What leaves the house: artefact folders with their contracts, and the windows that they are made and checked with."""
