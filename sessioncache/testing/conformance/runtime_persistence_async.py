"""What every store of contract 004 has to do."""

from __future__ import annotations

from typing import Any

import pytest

from sessioncache.errors import InvalidArgument, NotFound, SessionGone
from sessioncache.stores.runtime_async import AsyncRuntimePersistenceProtocol
from sessioncache.stores.runtime_models import RuntimeMessage, RuntimeSession

__all__ = ["AsyncRuntimePersistenceConformance"]

GOLD: list[dict[str, Any]] = [{}, {"gold_config": "gold"}]


def _said(*texts: str) -> list[RuntimeMessage]:
    return [RuntimeMessage(role="user", content=text) for text in texts]


def _texts(session: RuntimeSession | None) -> list[str]:
    assert session is not None
    return [message.content for message in session.messages]


async def _loaded(store: AsyncRuntimePersistenceProtocol, session_id: str = "run") -> RuntimeSession:
    session = await store.load(session_id)
    assert session is not None
    return session


class AsyncRuntimePersistenceConformance:
    """Contract 004: saves that merge, and edits that they never undo."""

    async def test_an_unknown_session_is_none(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """Loading a session that nobody saved answers None."""
        assert await store.load("unknown") is None

    async def test_every_field_comes_back(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """All fields of a session and of its messages are loaded as they were saved, undeclared ones too."""
        message = RuntimeMessage.model_validate(
            {
                "id": "m1",
                "role": "assistant",
                "content": "hm",
                "created_at": "2024-05-01T12:00:00Z",
                "reasoning": "because",
                "tool_calls": [{"id": "t1"}],
                "compressed": True,
                "metadata": {"a": [1]},
                "mood": None,
            }
        )
        session = RuntimeSession.model_validate(
            {
                "id": "run",
                "kind": "child",
                "parent_session_id": "root",
                "root_session_id": "root",
                "spawn_depth": 1,
                "messages": [message],
                "status": "running",
                "task_list": {"items": [1]},
                "pending_question": {"text": "?"},
                "model": "m",
                "metadata": {"a": "b"},
                "token_usage": {"total": 3},
                "compression_events": [{"id": "c"}],
                "agent_runtime_state": {"phase": "x"},
                "workspace": "/w",
                "colour": ["red"],
            }
        )
        await store.save_runtime_session(session)
        loaded = await _loaded(store)
        assert loaded.model_dump() == session.model_dump()
        assert loaded.created_at is not None

    async def test_a_new_session_is_written_as_it_is(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """Where there is nothing stored, all values are the caller's, versions too."""
        session = RuntimeSession(
            id="run", title="caller's", title_version=7, pinned=True, metadata_version=3, metadata=dict(GOLD[1])
        )
        await store.save_runtime_session(session)
        loaded = await _loaded(store)
        assert (loaded.title, loaded.title_version, loaded.pinned, loaded.metadata_version) == ("caller's", 7, True, 3)
        assert loaded.metadata == {"gold_config": "gold"}

    @pytest.mark.parametrize("stored_gold", GOLD)
    @pytest.mark.parametrize("incoming_gold", GOLD)
    @pytest.mark.parametrize("incoming_version", [0, 1, 2])
    async def test_the_merge_table(
        self,
        store: AsyncRuntimePersistenceProtocol,
        incoming_version: int,
        incoming_gold: dict[str, Any],
        stored_gold: dict[str, Any],
    ) -> None:
        """The group is the stored one unless the incoming version is higher; the caller's object takes the outcome."""
        stored = RuntimeSession(
            id="run", title="stored", title_version=1, metadata_version=1, pinned=True, metadata=dict(stored_gold)
        )
        await store.save_runtime_session(stored)
        metadata = dict.fromkeys(incoming_gold, "incoming") | {"other": "kept"}
        incoming = RuntimeSession(
            id="run", title="incoming", title_version=9, metadata_version=incoming_version, metadata=metadata
        )
        incoming.messages = _said("new")
        incoming.model = "model"
        await store.save_runtime_session(incoming)
        if incoming_version > 1:
            group = ("incoming", 9, False, incoming_version)
            gold = dict.fromkeys(incoming_gold, "incoming")
        else:
            group = ("stored", 1, True, 1)
            gold = stored_gold
        loaded = await _loaded(store)
        for seen in (incoming, loaded):
            assert (seen.title, seen.title_version, seen.pinned, seen.metadata_version) == group
            assert seen.metadata == {"other": "kept"} | gold
            assert (seen.model, _texts(seen)) == ("model", ["new"])

    async def test_a_stale_save_keeps_a_rename_and_a_pin(
        self, store: AsyncRuntimePersistenceProtocol, other_store: AsyncRuntimePersistenceProtocol
    ) -> None:
        """A runner that knows nothing of a rename and a pin saves, and takes both."""
        session = RuntimeSession(id="run")
        await store.save_runtime_session(session)
        await other_store.set_title("run", "Flight to Rome")
        await other_store.set_pinned("run", True)  # noqa: FBT003 - as the contract says
        session.messages += _said("on it")
        await store.save_runtime_session(session)
        assert (session.title, session.pinned, session.title_version, session.metadata_version) == (
            "Flight to Rome",
            True,
            1,
            2,
        )
        assert _texts(await other_store.load("run")) == ["on it"]

    async def test_two_runners_both_keep_their_messages(
        self, store: AsyncRuntimePersistenceProtocol, other_store: AsyncRuntimePersistenceProtocol
    ) -> None:
        """What one appended stays when the other saves a session that it loaded before."""
        await store.save_runtime_session(RuntimeSession(id="run", messages=_said("hello")))
        one, two = await _loaded(store), await _loaded(other_store)
        one.messages += _said("from one")
        two.messages += _said("from two")
        await store.save_runtime_session(one)
        await other_store.save_runtime_session(two)
        one.messages += _said("one again")
        await store.save_runtime_session(one)
        assert _texts(await store.load("run")) == ["hello", "from one", "from two", "one again"]

    async def test_saving_twice_appends_once(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """A second save of an unchanged object stores no message again."""
        session = RuntimeSession(id="run", messages=_said("a", "a"))
        await store.save_runtime_session(session)
        await store.save_runtime_session(session)
        assert _texts(await store.load("run")) == ["a", "a"]

    async def test_changed_and_removed_messages_are_swapped(
        self, store: AsyncRuntimePersistenceProtocol, other_store: AsyncRuntimePersistenceProtocol
    ) -> None:
        """A runner that summarises replaces its own messages; what others appended meanwhile stays."""
        session = RuntimeSession(id="run", messages=_said("1", "2", "3", "4"))
        await store.save_runtime_session(session)
        other = await _loaded(other_store)
        other.messages += _said("theirs")
        await other_store.save_runtime_session(other)
        session.messages = [*_said("summary of 1 to 3"), session.messages[3], *_said("5")]
        await store.save_runtime_session(session)
        assert _texts(await store.load("run")) == ["summary of 1 to 3", "4", "theirs", "5"]
        session.messages += _said("6")
        await store.save_runtime_session(session)
        session.messages = []
        await store.save_runtime_session(session)
        assert _texts(await store.load("run")) == ["theirs"]

    async def test_more_messages_than_one_write_takes(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """Thousands of messages are saved, appended to and changed like a few."""
        texts = [str(number) for number in range(1_203)]
        session = RuntimeSession(id="run", messages=_said(*texts))
        await store.save_runtime_session(session)
        assert _texts(await store.load("run")) == texts
        session.messages += _said(*texts)
        await store.save_runtime_session(session)
        assert _texts(await store.load("run")) == texts * 2
        session.messages[0].content = "changed"
        await store.save_runtime_session(session)
        assert _texts(await store.load("run")) == ["changed", *texts[1:], *texts]

    async def test_an_object_of_unknown_origin_removes_nothing(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """An object that came out of JSON adds what the transcript does not have, and leaves the rest."""
        await store.save_runtime_session(RuntimeSession(id="run", messages=_said("1", "2", "3")))
        read = RuntimeSession.model_validate_json((await _loaded(store)).model_dump_json())
        read.messages += _said("4")
        await store.save_runtime_session(read)
        assert _texts(await store.load("run")) == ["1", "2", "3", "4"]
        await store.save_runtime_session(RuntimeSession(id="run", messages=_said("2", "5")))
        assert _texts(await store.load("run")) == ["1", "2", "3", "4", "5"]

    async def test_a_copy_remembers_what_the_original_did(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """An object and its copy, both saved with a message of their own, lose none."""
        session = RuntimeSession(id="run", messages=_said("1"))
        await store.save_runtime_session(session)
        copy = session.model_copy(deep=True)
        session.messages += _said("2")
        copy.messages += _said("3")
        await store.save_runtime_session(session)
        await store.save_runtime_session(copy)
        assert _texts(await store.load("run")) == ["1", "2", "3"]

    async def test_a_deleted_session_stays_deleted(
        self, store: AsyncRuntimePersistenceProtocol, other_store: AsyncRuntimePersistenceProtocol
    ) -> None:
        """A save that comes after a delete is refused and brings nothing back; delete says whether it was there."""
        session = RuntimeSession(id="run", messages=_said("1"))
        await store.save_runtime_session(session)
        assert await other_store.delete("run")
        session.messages += _said("2")
        with pytest.raises(SessionGone):
            await store.save_runtime_session(session)
        with pytest.raises(SessionGone):
            await store.save_runtime_only(session)
        session.messages = []
        with pytest.raises(SessionGone):
            await store.save_runtime_session(session)
        assert await store.load("run") is None
        assert not await store.delete("run")

    async def test_a_title_is_trimmed_and_counted(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """A rename trims, and bumps both versions; the same title again changes nothing."""
        await store.save_runtime_session(RuntimeSession(id="run"))
        updated = await store.set_title("run", "  Rome  ")
        assert updated is not None
        assert (updated.title_version, updated.metadata_version) == (1, 1)
        assert (await _loaded(store)).title == "Rome"
        assert await store.set_title("run", "Rome ") is None
        assert (await _loaded(store)).metadata_version == 1

    async def test_a_pin_is_counted_apart(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """Pinning bumps metadata_version alone; pinning again changes nothing."""
        await store.save_runtime_session(RuntimeSession(id="run"))
        updated = await store.set_pinned("run", True)  # noqa: FBT003 - as the contract says
        assert updated is not None
        assert (updated.title_version, updated.metadata_version) == (0, 1)
        assert await store.set_pinned("run", True) is None  # noqa: FBT003 - as the contract says
        session = await _loaded(store)
        assert (session.pinned, session.title, session.metadata_version) == (True, "New Session", 1)

    async def test_a_blank_title_is_refused(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """A title of spaces is InvalidArgument."""
        await store.save_runtime_session(RuntimeSession(id="run"))
        with pytest.raises(InvalidArgument):
            await store.set_title("run", "  ")

    async def test_edits_of_an_unknown_session_are_not_found(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """Renaming, titling or pinning what is not there is NotFound, and creates nothing."""
        with pytest.raises(NotFound):
            await store.set_title("unknown", "Rome")
        with pytest.raises(NotFound):
            await store.apply_generated_title("unknown", "Rome")
        with pytest.raises(NotFound):
            await store.set_pinned("unknown", True)  # noqa: FBT003 - as the contract says
        assert await store.load("unknown") is None

    async def test_a_generated_title_gives_way(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """A generated title is for untitled sessions only, unless it is forced."""
        await store.save_runtime_session(RuntimeSession(id="run"))
        assert await store.apply_generated_title("run", "Generated") is not None
        await store.set_title("run", "By hand")
        assert await store.apply_generated_title("run", "Generated") is None
        assert (await _loaded(store)).title == "By hand"
        assert await store.apply_generated_title("run", "Forced", force=True) is not None
        session = await _loaded(store)
        assert (session.title, session.title_version, session.metadata_version) == ("Forced", 3, 3)

    async def test_config_changes_keep_messages_appended_meanwhile(
        self, store: AsyncRuntimePersistenceProtocol, other_store: AsyncRuntimePersistenceProtocol
    ) -> None:
        """A narrow update and an append that comes in between both stand."""
        session = RuntimeSession(id="run", messages=_said("1"))
        await store.save_runtime_session(session)

        def change(found: RuntimeSession) -> None:
            found.model = "bigger"
            found.metadata["gold_config"] = "gold"

        session.messages += _said("2")
        await other_store.save_runtime_session(session)
        changed = await store.update_runtime_config("run", change)
        loaded = await _loaded(store)
        assert changed is not None
        assert (changed.model, changed.metadata_version) == (loaded.model, loaded.metadata_version) == ("bigger", 1)
        assert _texts(loaded) == ["1", "2"]

    async def test_config_of_an_unknown_session_is_none(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """A narrow update of what is not there answers None, and creates nothing."""
        assert await store.update_runtime_config("unknown", lambda _: None) is None
        assert await store.load("unknown") is None

    @pytest.mark.parametrize("allowed", [True, False])
    async def test_bypass_permissions_survive_a_stale_save(
        self,
        store: AsyncRuntimePersistenceProtocol,
        other_store: AsyncRuntimePersistenceProtocol,
        *,
        allowed: bool,
    ) -> None:
        """The host's switch, on or off, stays when a runner saves the other value, and the runner takes it."""
        state = {"bypass_permissions": not allowed, "phase": "x"}
        session = RuntimeSession(id="run", agent_runtime_state=dict(state))
        await store.save_runtime_session(session)

        def switch(found: RuntimeSession) -> None:
            assert found.agent_runtime_state is not None
            found.agent_runtime_state["bypass_permissions"] = allowed

        switched = await other_store.update_runtime_config("run", switch)
        assert switched is not None
        assert switched.metadata_version == 0
        session.metadata_version = 5
        await store.save_runtime_session(session)
        expected = state | {"bypass_permissions": allowed}
        assert session.agent_runtime_state == (await _loaded(store)).agent_runtime_state == expected

    async def test_runtime_only_saves_leave_messages(
        self, store: AsyncRuntimePersistenceProtocol, other_store: AsyncRuntimePersistenceProtocol
    ) -> None:
        """A save of the control plane merges the group and ignores the messages of its argument."""
        await store.save_runtime_session(RuntimeSession(id="run", messages=_said("1")))
        session = await _loaded(store)
        await other_store.set_title("run", "Rome")
        session.messages = _said("ignored", "ignored")
        session.model = "m"
        await store.save_runtime_only(session)
        loaded = await _loaded(store)
        assert (loaded.title, session.title, loaded.model, _texts(loaded)) == ("Rome", "Rome", "m", ["1"])

    async def test_usage_lines(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """Lines lose the newlines at their end; one inside is refused, and so is an id that is none."""
        await store.save_runtime_session(RuntimeSession(id="run"))
        await store.append_token_usage_record("run", '{"n":1}\n\n')
        await store.append_token_usage_record("run", '{"n":2}')
        with pytest.raises(InvalidArgument):
            await store.append_token_usage_record("run", '{"n":\n3}')
        with pytest.raises(InvalidArgument):
            await store.append_token_usage_record("", '{"n":4}')

    async def test_usage_of_an_unknown_session_is_nothing(self, store: AsyncRuntimePersistenceProtocol) -> None:
        """A usage line of a session that was never saved is dropped without an error, and creates nothing."""
        await store.append_token_usage_record("unknown", '{"n":1}')
        assert await store.load("unknown") is None
