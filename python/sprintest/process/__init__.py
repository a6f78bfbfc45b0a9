"""stest's view of the process: private names, its own references, the process state, traces of imports."""
