"""What has happened, in numbers: counted where it happens, read from rollup rows."""
