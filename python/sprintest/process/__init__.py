"""What stest itself keeps of the process: names of its own, state that runs change, traces of imports."""
