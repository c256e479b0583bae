"""What must follow a deletion outside the database."""

from django.db import models


class IndexRemoval(models.Model):
    """A point that must leave the index, written in the transaction that deletes its row."""

    collection = models.CharField(max_length=120)
    point = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.collection} {self.point}"


class FileRemoval(models.Model):
    """A stored file that must go, written in the transaction that deletes its row."""

    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
