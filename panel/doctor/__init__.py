"""What `doctor` examines: settings, both outside worlds, and the panel itself."""
