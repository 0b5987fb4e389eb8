"""How Sphinx makes the documentation's site; `make docs` runs it, warnings are errors."""

project = "Automation Hub"
author = "The Automation Hub developers"
project_copyright = "The Automation Hub developers"

extensions = ["myst_parser"]
root_doc = "index"
# The first page on GitHub; the site has its own, with the same links as navigation.
exclude_patterns = ["README.md", "_build"]

myst_heading_anchors = 4
# What Markdown on GitHub leaves as it is: ids in angle brackets, $ in shell lines.
myst_enable_extensions: list[str] = []
suppress_warnings = ["misc.highlighting_failure"]  # `console` blocks show terminals, not programs

html_theme = "furo"
html_title = "Automation Hub"
html_static_path: list[str] = []
html_copy_source = False
html_show_sphinx = False
