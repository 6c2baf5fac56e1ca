"""Settings of the HTML pages: `make docs`. The pages read as well on any Markdown viewer.

Nothing is fetched while the pages are built, and nothing by a reader's browser afterwards: formulas are MathML, fonts
are the reader's own, the search runs on an index that is built here.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "gpuconv"
copyright = "gpuconv contributors"
html_title = "gpuconv"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "code_links",
    "mathml",
    "page_sources",
]
exclude_patterns = ["gallery", "_extensions", "**/GALLERY_HEADER.rst"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["gpuconv.css"]
html_favicon = "_static/icon.svg"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False

# A reference that leads nowhere is an error, in pages and in docstrings alike.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(array_api_compat|cupyx?|dask|jax|numpy|scipy|skimage|torch)\..*")]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

# Names in single backticks become links where they can; the types of numpydoc's sections are words, not references.
default_role = "public"
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("gallery_style.apply",),
    "abort_on_example_error": True,
    "plot_gallery": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "image_srcset": ["2x"],
}
