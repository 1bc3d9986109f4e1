"""One execution of a plan: the run, its engine, and how calls and chunks are delivered."""
