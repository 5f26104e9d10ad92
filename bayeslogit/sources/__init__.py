"""Where row blocks come from. Every source offers ``blocks()`` in a fixed order; nothing above it knows which it is."""
