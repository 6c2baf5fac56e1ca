"""Settings of the HTML pages: `make docs`. The pages read as well on any Markdown viewer."""

project = "gpuconv"
copyright = "gpuconv contributors"
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_theme = "alabaster"
suppress_warnings = [
    # Pages link to each other in their text, as Markdown viewers need it.
    "toc.not_included",
    # A link to README.md leaves the folder of the pages; tests/test_links.py checks every link of every page.
    "myst.xref_missing",
]
