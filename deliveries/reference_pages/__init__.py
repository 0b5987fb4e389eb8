"""Pages of the reference that are written from the code: commands and operations of the API, in Markdown."""
