"""What runs: the application's event loop, the HTTP door, and the emulator with its link threads."""
