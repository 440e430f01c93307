"""The plugin that pytest finds by its entry point."""
