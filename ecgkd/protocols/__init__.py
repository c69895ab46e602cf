"""Who trains, who tunes, who tests: protocol files, how they are made, what they mean, and the lint for leaks."""
