"""Invented people and files. No name, number, address or account here belongs to anybody."""
