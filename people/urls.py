from django.urls import path

from people.views import faces, finding, home, imports, people, photos

urlpatterns = [
    path("", home.home, name="home"),
    path("photos/", finding.photo_list, name="photos"),
    path("photos/add/", imports.upload, name="upload"),
    path("photos/<int:pk>/", photos.photo, name="photo"),
    path("photos/<int:pk>/retry/", photos.retry, name="photo-retry"),
    path("photos/<int:pk>/delete/", photos.delete, name="photo-delete"),
    path("photos/<int:pk>/<str:kind>", photos.image, name="photo-image"),
    path("imports/<int:pk>/", imports.detail, name="import"),
    path("imports/<int:pk>/rows/", imports.rows, name="import-rows"),
    path("people/", people.person_list, name="people"),
    path("people/suggest/", people.suggest, name="people-suggest"),
    path("people/<int:pk>/", people.person, name="person"),
    path("people/<int:pk>/rename/", people.rename, name="person-rename"),
    path("people/<int:pk>/delete/", people.delete, name="person-delete"),
    path("faces/<int:pk>/crop", faces.crop, name="face-crop"),
    path("faces/<int:pk>/name/", faces.name, name="face-name"),
    path("faces/<int:pk>/remove/", faces.remove, name="face-remove"),
]
