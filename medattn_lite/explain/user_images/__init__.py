"""A trained run explained on the user's own image files."""
