"""Training: windows in, weights out, on Lightning Fabric."""
