from django.urls import path

from search import views

urlpatterns = [
    path("search/", views.index, name="search"),
    path("search/<uuid:pk>/", views.result, name="search-result"),
    path("search/<uuid:pk>/body/", views.body, name="search-body"),
    path("search/<uuid:pk>/photo", views.image, name="search-image"),
    path("search/<uuid:pk>/faces/<int:number>/crop", views.crop, name="search-crop"),
    path("search/<uuid:pk>/delete/", views.delete, name="search-delete"),
]
