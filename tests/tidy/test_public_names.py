"""What `import sessioncache` offers."""

import sessioncache


def test_public_names_exist() -> None:
    """Every name in __all__ can be imported, and none begins with an underscore besides __version__."""
    missing = [name for name in sessioncache.__all__ if not hasattr(sessioncache, name)]
    private = [name for name in sessioncache.__all__ if name.startswith("_") and name != "__version__"]
    assert (missing, private) == ([], [])


def test_public_names_are_sorted() -> None:
    """__all__ lists each name once: constants, then classes, then functions, each in alphabetical order."""

    def place(name: str) -> tuple[int, str]:
        kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
        return kind, name

    assert list(sessioncache.__all__) == sorted(set(sessioncache.__all__), key=place)
