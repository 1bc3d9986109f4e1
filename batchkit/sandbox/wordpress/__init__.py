"""Enough of the WordPress REST API to practise on, answering as WordPress does since 6.8."""
