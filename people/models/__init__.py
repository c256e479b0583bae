"""The rows: photos, the faces in them, the people they belong to, and what is known of them."""

from people.models.curation import (
    Cluster,
    Edit,
    EditSubject,
    NotSame,
    PersonPair,
    Rejection,
    Suggestion,
)
from people.models.face import Face, FaceEmbedding
from people.models.person import Person
from people.models.photo import Import, Photo
from people.models.removal import FileRemoval, IndexRemoval
from people.models.scoring import Calibration, Evaluation, Rates

__all__ = [
    "Calibration",
    "Cluster",
    "Edit",
    "EditSubject",
    "Evaluation",
    "Face",
    "FaceEmbedding",
    "FileRemoval",
    "Import",
    "IndexRemoval",
    "NotSame",
    "Person",
    "PersonPair",
    "Photo",
    "Rates",
    "Rejection",
    "Suggestion",
]
