"""How people come in: by name and password or by their organisation's provider, with a second factor, for a time."""
