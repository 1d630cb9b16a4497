"""The data platform behind a children's services front door: files land, are checked, reach people in seconds."""

# Where the version stands: pyproject.toml reads it here, and a package or an image has it where that file is not.
__version__ = "0.2.0.dev0"
