"""A run told in words and figures: text, HTML, JSON data. Pure: what it tells is handed in."""
