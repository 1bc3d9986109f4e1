"""Enough of the WhatsApp Cloud API to practise on: messages, templates, the number."""
