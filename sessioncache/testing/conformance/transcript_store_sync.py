# Generated from sessioncache/testing/conformance/transcript_store_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""What every store of contract 001 has to do."""

from __future__ import annotations

from typing import Any

import pytest

from sessioncache.errors import InvalidArgument
from sessioncache.stores.transcript_models import Block, ListOptions, TextBlock, ToolUseBlock, TranscriptMessage
from sessioncache.stores.transcript_sync import TranscriptStoreProtocol

__all__ = ["TranscriptStoreConformance"]


def _said(*texts: str) -> list[TranscriptMessage]:
    return [TranscriptMessage(role="user", content=text) for text in texts]


class TranscriptStoreConformance:
    """Contract 001: load, save, list, list_paginated, delete."""

    def test_an_unknown_session_is_none(self, store: TranscriptStoreProtocol) -> None:
        """Loading a session that nobody saved answers None."""
        assert store.load("unknown") is None

    def test_a_transcript_comes_back_in_order(self, store: TranscriptStoreProtocol) -> None:
        """Three messages are loaded in the order and with the text that they were saved with."""
        store.save("chat", _said("one", "two", "three"))
        loaded = store.load("chat")
        assert loaded is not None
        assert [message.text() for message in loaded] == ["one", "two", "three"]

    def test_an_empty_transcript_is_not_none(self, store: TranscriptStoreProtocol) -> None:
        """A session that was saved without messages is there, with none."""
        store.save("chat", [])
        assert store.load("chat") == []
        assert [record.message_count for record in store.list()] == [0]

    def test_save_replaces(self, store: TranscriptStoreProtocol) -> None:
        """A second save overwrites the first; it appends nothing."""
        store.save("chat", _said("one"))
        store.save("chat", _said("two", "three"))
        loaded = store.load("chat")
        assert loaded is not None
        assert [message.text() for message in loaded] == ["two", "three"]

    def test_another_client_sees_the_save(
        self, store: TranscriptStoreProtocol, other_store: TranscriptStoreProtocol
    ) -> None:
        """What one client has saved the other one loads, lists and may delete."""
        store.save("chat", _said("one"))
        assert other_store.load("chat") == store.load("chat")
        other_store.delete("chat")
        assert store.load("chat") is None

    def test_a_long_transcript_is_complete(self, store: TranscriptStoreProtocol) -> None:
        """More messages than one call carries are saved and loaded all the same."""
        texts = [f"message {number}" for number in range(1_200)]
        store.save("chat", _said(*texts))
        loaded = store.load("chat")
        assert loaded is not None
        assert [message.text() for message in loaded] == texts

    def test_fields_come_back(self, store: TranscriptStoreProtocol) -> None:
        """Name, metadata, blocks of every type and undeclared fields are loaded as they were saved."""
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": "hi", "name": "Ada", "metadata": {"a": None}, "mood": None},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"x": [1]}}]},
            {
                "role": "tool",
                "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "no", "is_error": True}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "see", "lang": "en"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                    {"type": "video", "frames": 3},
                ],
            },
        ]
        store.save("chat", messages)
        loaded = store.load("chat")
        assert loaded is not None
        assert [message.model_dump() for message in loaded] == messages

    def test_messages_may_be_models_or_objects(self, store: TranscriptStoreProtocol) -> None:
        """A message given as a model and one given as a JSON object are the same."""
        blocks: list[Block] = [TextBlock(text="look"), ToolUseBlock(id="t", name="find", input={"q": 1})]
        message = TranscriptMessage(role="assistant", content=blocks)
        store.save("model", [message])
        store.save("object", [message.model_dump()])
        assert store.load("model") == store.load("object") == [message]

    def test_something_else_is_refused(self, store: TranscriptStoreProtocol) -> None:
        """What is no message, and an empty id, is InvalidArgument, and nothing is saved."""
        with pytest.raises(InvalidArgument):
            store.save("chat", [{"content": "nobody says this"}])
        with pytest.raises(InvalidArgument):
            store.save("", _said("one"))
        assert store.list() == []

    def test_a_loaded_list_is_the_callers(self, store: TranscriptStoreProtocol) -> None:
        """Changing a loaded list, or a message in it, does not change the store."""
        store.save("chat", _said("one"))
        loaded = store.load("chat")
        assert loaded is not None
        loaded[0].content = "changed"
        loaded.append(TranscriptMessage(role="user", content="two"))
        again = store.load("chat")
        assert again is not None
        assert [message.text() for message in again] == ["one"]

    def test_the_time_of_creation_is_kept(self, store: TranscriptStoreProtocol) -> None:
        """Two more saves change updated_at and leave created_at."""
        store.save("chat", _said("one"))
        (first,) = store.list()
        store.save("chat", _said("two"))
        store.save("chat", _said("three"))
        (last,) = store.list()
        assert last.created_at == first.created_at
        assert last.updated_at >= first.updated_at

    def test_the_list_counts_messages(self, store: TranscriptStoreProtocol) -> None:
        """message_count is the number of messages saved."""
        store.save("chat", _said("1", "2", "3", "4"))
        assert [(record.id, record.message_count) for record in store.list()] == [("chat", 4)]

    def test_the_list_has_every_session_newest_last(self, store: TranscriptStoreProtocol) -> None:
        """The list has exactly the saved ids, in ascending order of updated_at."""
        ids = [f"chat-{number}" for number in range(12)]
        for session_id in ids:
            store.save(session_id, _said("one"))
        store.save(ids[3], _said("two"))
        found = store.list()
        assert sorted(record.id for record in found) == sorted(ids)
        assert [record.updated_at for record in found] == sorted(record.updated_at for record in found)
        assert found[-1].updated_at == next(record.updated_at for record in found if record.id == ids[3])

    def test_pages_are_slices_of_the_list(self, store: TranscriptStoreProtocol) -> None:
        """Every offset and limit answers that slice of the list, also where sessions share their updated_at."""
        for number in range(7):
            store.save(f"chat-{number}", _said("one"))
        whole = store.list()
        assert store.list_paginated(ListOptions(offset=1, limit=2)) == whole[1:3]
        assert store.list_paginated(ListOptions()) == whole
        assert store.list_paginated(ListOptions(offset=2)) == whole[2:]
        assert [record for at in range(7) for record in store.list_paginated(ListOptions(at, 1))] == whole

    def test_pages_at_the_edges_are_empty(self, store: TranscriptStoreProtocol) -> None:
        """An offset past the end, and a limit of 0, answer nothing; huge numbers do not overflow."""
        store.save("chat", _said("one"))
        whole = store.list()
        assert store.list_paginated(ListOptions(offset=100)) == []
        assert store.list_paginated(ListOptions(limit=0)) == []
        assert store.list_paginated(ListOptions(offset=2**64, limit=2**64)) == []
        assert store.list_paginated(ListOptions(offset=0, limit=2**64)) == whole

    def test_a_page_begins_at_zero_and_has_no_limit(self) -> None:
        """ListOptions without arguments asks for everything; a negative number is no option."""
        assert (ListOptions().offset, ListOptions().limit) == (0, None)
        with pytest.raises(InvalidArgument):
            ListOptions(offset=-1)

    def test_delete_removes_the_session(self, store: TranscriptStoreProtocol) -> None:
        """A deleted session is neither loaded nor listed, and deleting it again is no error."""
        store.save("chat", _said("one"))
        store.delete("chat")
        assert store.load("chat") is None
        assert store.list() == []
        store.delete("chat")

    def test_deleting_an_unknown_session_is_no_error(self, store: TranscriptStoreProtocol) -> None:
        """Deleting what was never there does nothing."""
        store.delete("unknown")

    def test_ids_are_texts(self, store: TranscriptStoreProtocol) -> None:
        """Ids with colons, braces, stars, spaces and letters of any script do not collide."""
        ids = ["a:b", "a{b}", "a*", "a b", "a", "ä", "discord:12345", "%3A", "*"]
        for session_id in ids:
            store.save(session_id, _said(session_id))
        for session_id in ids:
            loaded = store.load(session_id)
            assert loaded is not None
            assert [message.text() for message in loaded] == [session_id]
        assert sorted(record.id for record in store.list()) == sorted(ids)
