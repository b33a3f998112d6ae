"""Workspaces: groups of sessions, each session with a role."""

from sessioncache.workspaces.models import Member, MemberAdded, SessionRole, Workspace

__all__ = ["Member", "MemberAdded", "SessionRole", "Workspace"]
