"""`python -m sessioncache` is the command `sessioncache`."""

from sessioncache.cli import main

if __name__ == "__main__":
    main()
