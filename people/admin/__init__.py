"""The admin panel for people, faces, photos, imports and the history.

Lists are made for 100,000 rows: no select box holds every person, counts come from subqueries
for the rows shown, and whatever changes or deletes something goes through the services, so that
it stands in the history and nothing is left behind.
"""

from django.contrib import admin

from people.admin import edits, faces, persons, photos
from people.admin.common import LargeTableAdmin, pixels, state_in_words, thumbnail

__all__ = [
    "LargeTableAdmin",
    "edits",
    "faces",
    "persons",
    "photos",
    "pixels",
    "state_in_words",
    "thumbnail",
]

admin.site.site_header = admin.site.site_title = "faceweb"
admin.site.index_title = "Everything that is stored"
admin.site.enable_nav_sidebar = False
