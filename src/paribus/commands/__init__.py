"""The command line, and the commands that neither train nor sweep: a module each, imported when it is called."""
