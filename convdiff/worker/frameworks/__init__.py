"""One file a framework; a new framework is a new file with an open() function."""
