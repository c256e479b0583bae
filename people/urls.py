from django.urls import path

from people.views import accuracy, faces, home, imports, people, photos

urlpatterns = [
    path("", home.home, name="home"),
    path("photos/", photos.photo_list, name="photos"),
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
    path("accuracy/", accuracy.accuracy, name="accuracy"),
    path("accuracy/status/", accuracy.status, name="accuracy-status"),
    path("accuracy/check/", accuracy.check, name="accuracy-check"),
    path("accuracy/check/<int:pk>/use/", accuracy.use, name="accuracy-use"),
    path("accuracy/go-back/", accuracy.go_back, name="accuracy-go-back"),
    path("accuracy/thresholds/", accuracy.thresholds, name="thresholds"),
    path("accuracy/thresholds/preview/", accuracy.preview, name="thresholds-preview"),
    path("accuracy/thresholds/reset/", accuracy.reset, name="thresholds-reset"),
    path("faces/<int:pk>/crop", faces.crop, name="face-crop"),
    path("faces/<int:pk>/name/", faces.name, name="face-name"),
    path("faces/<int:pk>/remove/", faces.remove, name="face-remove"),
]
