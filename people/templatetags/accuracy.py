"""Filters for pages with rates."""

from django import template

from people import words

register = template.Library()

register.filter("percent", words.percent)
register.filter("points", words.points)
register.filter("one_in", words.one_in)
