"""Names as they are compared."""

import unicodedata


def name_key(name: str) -> str:
    """The form of a name by which two spellings are the same: composed, case folded."""
    return unicodedata.normalize("NFC", " ".join(name.split())).casefold()


def printable(text: str) -> str:
    """The text without characters that nobody sees, or that no database takes."""
    return "".join(c for c in text if c.isprintable())


def search_key(*names: str) -> str:
    """The form in which names are searched: case folded, without accents, one a line."""
    letters = unicodedata.normalize("NFKD", "\n".join(name_key(name) for name in names))
    return "".join(c for c in letters if not unicodedata.combining(c))
