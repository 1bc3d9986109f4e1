"""Enough of the WordPress REST API to practise on, answering as WordPress 6.8 does."""
