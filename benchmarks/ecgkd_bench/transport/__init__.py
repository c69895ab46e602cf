"""How files and commands get to a device."""
