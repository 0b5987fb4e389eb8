"""An app as a site would add it: handlers for tests, installed by the test settings only."""
