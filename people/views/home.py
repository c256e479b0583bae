from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from people.models import Cluster, Person, Photo
from people.services import reviewing
from people.services.coverage import coverage
from people.services.stats import archive_summary


def home(request: HttpRequest) -> HttpResponse:
    """What is here and what to do next."""
    return render(
        request,
        "home.html",
        {
            "summary": archive_summary(),
            "coverage": coverage(),
            "recent_photos": Photo.objects.order_by("-pk")[:12],
            "recent_people": Person.objects.with_face_count().order_by("-pk")[:8],
            "max_megabytes": settings.FACEWEB_MAX_UPLOAD_MB,
            "undecided": Photo.objects.undecided().count(),
            "unknown": Cluster.objects.waiting()[: reviewing.COUNTED].count(),
            "suggested": reviewing.queue()[: reviewing.COUNTED].count(),
        },
    )
