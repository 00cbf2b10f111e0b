"""The architectures hold no doctests, and must not be imported again under another name."""

collect_ignore = ["architectures"]
