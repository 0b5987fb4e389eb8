"""When the next step towards a hundred million events a day is due: `make bench-growth`."""
