"""The simulated charge point: inputs and time in, effects out."""
