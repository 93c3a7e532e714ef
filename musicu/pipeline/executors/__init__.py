"""Where the work of a run is done: in this process, in worker processes, or where others put it."""
