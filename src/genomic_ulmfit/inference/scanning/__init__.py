"""Every window of a genome: scores, tracks, calls and their files."""
