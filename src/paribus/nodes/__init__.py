"""Nodes of a config: which target, of which arguments and types, and how it becomes an object."""
