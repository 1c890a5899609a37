"""Debian as a quarry: its packages fetched and read without installing any, its programs run; virtual boards and the small image are made of them."""
