"""Web server and workers under one supervisor."""
