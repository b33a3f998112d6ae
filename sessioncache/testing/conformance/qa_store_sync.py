# Generated from sessioncache/testing/conformance/qa_store_async.py by scripts/unasync.py; edit that file and run `make sync`.
"""What every store of contract 002 has to do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from sessioncache.errors import InvalidArgument
from sessioncache.stores.qa_models import SessionQAUpdate
from sessioncache.stores.qa_sync import QAStoreProtocol
from sessioncache.traces import TraceStep

__all__ = ["QAStoreConformance"]

USER = "ada"


def _ask(store: QAStoreProtocol, *questions: str, session: str = "chat", user: str | None = USER) -> list[str]:
    """Create entries; their ids."""
    ids = []
    for question in questions:
        ids += [store.create_qa_entry(session, user, question, f"answer to {question}")]
    return ids


def _questions(store: QAStoreProtocol, session: str = "chat", user: str | None = USER) -> list[str]:
    return [entry.question for entry in store.get_all_qa_entries(session, user)]


def _step(name: str, **fields: Any) -> TraceStep:
    return TraceStep(trace_id=name, origin_function="search", status="success", **fields)


class QAStoreConformance:
    """Contract 002: entries, graph context and trace of pairs of a user and a session."""

    def test_entries_come_back_in_order(self, store: QAStoreProtocol) -> None:
        """Entries are read in the order in which they were created, with what was given and whose they are."""
        ids = _ask(store, "q1", "q2")
        found = store.get_all_qa_entries("chat", USER)
        assert [entry.id for entry in found] == ids
        assert [(entry.question, entry.answer) for entry in found] == [("q1", "answer to q1"), ("q2", "answer to q2")]
        assert {(entry.session_id, entry.user_id) for entry in found} == {("chat", USER)}
        assert all(entry.created_at is not None for entry in found)

    def test_another_client_sees_the_entries(self, store: QAStoreProtocol, other_store: QAStoreProtocol) -> None:
        """What one client creates the other one reads, updates and deletes."""
        first, second = _ask(store, "q1", "q2")
        assert other_store.get_all_qa_entries("chat", USER) == store.get_all_qa_entries("chat", USER)
        assert other_store.update_qa_entry("chat", USER, first, SessionQAUpdate(answer="new"))
        assert other_store.delete_qa_entry("chat", USER, second)
        assert [entry.answer for entry in store.get_all_qa_entries("chat", USER)] == ["new"]

    def test_the_latest_come_oldest_first(self, store: QAStoreProtocol) -> None:
        """The latest 3 of 5 are the third, the fourth and the fifth; more than there are is all of them."""
        _ask(store, "q0", "q1", "q2", "q3", "q4")
        assert [entry.question for entry in store.get_latest_qa_entries("chat", USER, 3)] == ["q2", "q3", "q4"]
        assert len(store.get_latest_qa_entries("chat", USER, 1_000)) == 5

    def test_the_latest_none_are_none(self, store: QAStoreProtocol) -> None:
        """The latest 0 are the empty list, and a negative number is refused."""
        _ask(store, "q0")
        assert store.get_latest_qa_entries("chat", USER, 0) == []
        with pytest.raises(InvalidArgument):
            store.get_latest_qa_entries("chat", USER, -1)

    def test_an_unknown_session_is_empty(self, store: QAStoreProtocol) -> None:
        """A session that nobody wrote to has no entries, no newest one, no graph context and no trace."""
        for last_n in (0, 1, 10):
            assert store.get_latest_qa_entries("unknown", USER, last_n) == []
        assert store.get_all_qa_entries("unknown", USER) == []
        assert store.latest_qa_id("unknown", USER) is None
        assert store.get_graph_context("unknown", USER) is None
        assert store.read_trace_steps(USER, "unknown") == []

    def test_sessions_are_apart(self, store: QAStoreProtocol) -> None:
        """Two sessions of one user share nothing."""
        _ask(store, "q1", session="one")
        _ask(store, "q2", session="two")
        assert (_questions(store, "one"), _questions(store, "two")) == (["q1"], ["q2"])

    def test_users_are_apart(self, store: QAStoreProtocol) -> None:
        """Two users share nothing of the session that both call the same."""
        (mine,) = _ask(store, "q1", user="ada")
        _ask(store, "q2", user="bob")
        store.set_graph_context("chat", "ada", "graph")
        assert (_questions(store, user="ada"), _questions(store, user="bob")) == (["q1"], ["q2"])
        assert store.get_graph_context("chat", "bob") is None
        assert not store.delete_qa_entry("chat", "bob", mine)
        assert not store.update_qa_entry("chat", "bob", mine, SessionQAUpdate(answer="x"))
        assert store.delete_session("chat", "bob")
        assert _questions(store, user="ada") == ["q1"]

    def test_no_user_is_the_default_user(self, store: QAStoreProtocol) -> None:
        """None and "default" share their sessions, and neither means all users."""
        _ask(store, "q1", user=None)
        _ask(store, "q2", user="default")
        _ask(store, "q3", user="ada")
        assert _questions(store, user=None) == _questions(store, user="default") == ["q1", "q2"]
        assert store.delete_session("chat", None)
        assert _questions(store, user="ada") == ["q3"]

    def test_pairs_do_not_collide(self, store: QAStoreProtocol) -> None:
        """Users and sessions with any sign in their names are told apart, and none is a pattern."""
        pairs = [
            ("a", "b/c"),
            ("a/b", "c"),
            ("a:b", "c"),
            ("a", "b:c"),
            ("a", "*"),
            ("*", "a"),
            ("{a}", "{b}"),
            ("ä", "ö 日本"),
            ("%61", "b"),
            ("a", "b"),
            (None, "user=a/b"),
            (None, "b"),
        ]
        for user, session in pairs:
            _ask(store, f"{user} {session}", session=session, user=user)
        for user, session in pairs:
            assert _questions(store, session, user) == [f"{user} {session}"]
        assert store.delete_session("*", "a")
        assert _questions(store, "b", "a") == ["a b"]

    @pytest.mark.parametrize("session, user", [("", "ada"), (" ", "ada"), ("a\nb", "ada"), ("a", ""), ("a", "  ")])
    def test_blank_names_are_refused(self, store: QAStoreProtocol, session: str, user: str) -> None:
        """An empty or blank session or user, and a line break in one, is InvalidArgument everywhere."""
        with pytest.raises(InvalidArgument):
            store.create_qa_entry(session, user, "q", "a")
        with pytest.raises(InvalidArgument):
            store.get_all_qa_entries(session, user)
        with pytest.raises(InvalidArgument):
            store.delete_session(session, user)
        with pytest.raises(InvalidArgument):
            store.set_graph_context(session, user, "graph")
        with pytest.raises(InvalidArgument):
            store.save_trace_step(user, session, _step("t"))

    def test_ids_have_one_form(self, store: QAStoreProtocol) -> None:
        """A hundred ids are a hundred UUIDs of 36 characters, and the same ones are read back."""
        ids = _ask(store, *map(str, range(100)))
        assert {str(UUID(qa_id)) for qa_id in ids} == set(ids)
        assert len(set(ids)) == len(ids)
        assert [entry.id for entry in store.get_all_qa_entries("chat", USER)] == ids

    def test_the_newest_id_is_taken_back(self, store: QAStoreProtocol) -> None:
        """What latest_qa_id answers is what create answered, and update and delete take it."""
        first, second = _ask(store, "q1", "q2")
        newest = store.latest_qa_id("chat", USER)
        assert newest == second
        assert store.update_qa_entry("chat", USER, newest, SessionQAUpdate(feedback_score=5))
        assert store.delete_qa_entry("chat", USER, newest)
        assert store.latest_qa_id("chat", USER) == first

    def test_a_new_entry_has_no_feedback(self, store: QAStoreProtocol) -> None:
        """What nobody gave is None."""
        store.create_qa_entry("chat", USER, "q", "a")
        (entry,) = store.get_all_qa_entries("chat", USER)
        assert (entry.context, entry.feedback_text, entry.feedback_score) == (None, None, None)
        assert (entry.used_graph_element_ids, entry.memify_metadata) == (None, None)

    def test_a_context_comes_back(self, store: QAStoreProtocol) -> None:
        """A context is kept; an empty one is not the same as none."""
        store.create_qa_entry("chat", USER, "q", "a", "context")
        store.create_qa_entry("chat", USER, "q", "a", "")
        assert [entry.context for entry in store.get_all_qa_entries("chat", USER)] == ["context", ""]

    def test_an_update_sets_and_leaves(self, store: QAStoreProtocol) -> None:
        """An update sets what it names; every other field stays."""
        (qa_id,) = _ask(store, "q1")
        assert store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(feedback_text="good", context="c"))
        assert store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(feedback_score=4, answer="new"))
        (entry,) = store.get_all_qa_entries("chat", USER)
        assert (entry.question, entry.answer, entry.context) == ("q1", "new", "c")
        assert (entry.feedback_text, entry.feedback_score) == ("good", 4)

    def test_an_update_clears(self, store: QAStoreProtocol) -> None:
        """None clears each field that can be cleared, and nothing else."""
        (qa_id,) = _ask(store, "q1")
        whole: dict[str, Any] = {
            "context": "c",
            "feedback_text": "good",
            "feedback_score": 4,
            "used_graph_element_ids": {"node_ids": ["n"], "edge_ids": ["e"]},
            "memify_metadata": {"a": True},
        }
        for name in whole:
            assert store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(**whole))
            (before,) = store.get_all_qa_entries("chat", USER)
            cleared: dict[str, Any] = {name: None}
            assert store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(**cleared))
            (after,) = store.get_all_qa_entries("chat", USER)
            assert after.model_dump() == {**before.model_dump(), name: None}

    def test_question_and_answer_cannot_be_cleared(self, store: QAStoreProtocol) -> None:
        """Clearing a question or an answer is refused, and nothing changes."""
        (qa_id,) = _ask(store, "q1")
        before = store.get_all_qa_entries("chat", USER)
        for name in ("question", "answer"):
            cleared: dict[str, Any] = {name: None, "feedback_text": "x"}
            with pytest.raises(InvalidArgument):
                store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(**cleared))
        assert store.get_all_qa_entries("chat", USER) == before

    def test_an_update_of_nothing_finds_the_entry(self, store: QAStoreProtocol) -> None:
        """An update that names no field answers True where the entry is, and changes nothing."""
        (qa_id,) = _ask(store, "q1")
        before = store.get_all_qa_entries("chat", USER)
        assert store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate())
        assert store.get_all_qa_entries("chat", USER) == before

    def test_an_unknown_entry_is_not_found(self, store: QAStoreProtocol) -> None:
        """Updating or deleting an entry, or a session, that is not there answers False and creates nothing."""
        unknown = "00000000-0000-4000-8000-000000000000"
        assert not store.update_qa_entry("chat", USER, unknown, SessionQAUpdate(answer="x"))
        assert not store.delete_qa_entry("chat", USER, unknown)
        assert not store.delete_session("chat", USER)
        _ask(store, "q1")
        assert not store.update_qa_entry("chat", USER, unknown, SessionQAUpdate())
        assert not store.delete_qa_entry("chat", USER, unknown)
        assert _questions(store) == ["q1"]

    @pytest.mark.parametrize("score", [0, 6, -1, True, "5", 2.5])
    def test_a_score_is_one_to_five(self, store: QAStoreProtocol, score: Any) -> None:  # noqa: ANN401 - bad on purpose
        """Any other score is InvalidArgument, and nothing of the update is written."""
        (qa_id,) = _ask(store, "q1")
        with pytest.raises(InvalidArgument):
            store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(feedback_text="x", feedback_score=score))
        (entry,) = store.get_all_qa_entries("chat", USER)
        assert (entry.feedback_text, entry.feedback_score) == (None, None)

    def test_graph_elements_come_back(self, store: QAStoreProtocol) -> None:
        """Ids of nodes and edges are kept; other keys are refused."""
        (qa_id,) = _ask(store, "q1")
        ids = {"node_ids": ["n1", "n2"], "edge_ids": ["e1"]}
        assert store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(used_graph_element_ids=ids))
        with pytest.raises(InvalidArgument):
            store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(used_graph_element_ids={"nodes": ["n"]}))
        (entry,) = store.get_all_qa_entries("chat", USER)
        assert entry.used_graph_element_ids is not None
        assert entry.used_graph_element_ids.model_dump() == ids

    def test_flags_are_merged(self, store: QAStoreProtocol, other_store: QAStoreProtocol) -> None:
        """Flags that two clients set both hold, and a flag set again takes the later value."""
        (qa_id,) = _ask(store, "q1")
        assert store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(memify_metadata={"a": True}))
        assert other_store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(memify_metadata={"b": True}))
        assert store.update_qa_entry("chat", USER, qa_id, SessionQAUpdate(memify_metadata={"a": False}))
        (entry,) = store.get_all_qa_entries("chat", USER)
        assert entry.memify_metadata == {"a": False, "b": True}

    def test_one_entry_is_deleted(self, store: QAStoreProtocol) -> None:
        """Deleting an entry leaves the others in their order; deleting it again answers False."""
        ids = _ask(store, "q1", "q2", "q3")
        assert store.delete_qa_entry("chat", USER, ids[1])
        assert not store.delete_qa_entry("chat", USER, ids[1])
        _ask(store, "q4")
        assert _questions(store) == ["q1", "q3", "q4"]

    def test_an_update_beside_a_delete_changes_the_right_entry(
        self, store: QAStoreProtocol, other_store: QAStoreProtocol
    ) -> None:
        """While another client deletes earlier entries, an update still changes the one that it names."""
        ids = _ask(store, "q1", "q2", "q3")
        assert other_store.delete_qa_entry("chat", USER, ids[0])
        assert store.update_qa_entry("chat", USER, ids[1], SessionQAUpdate(answer="new"))
        answers = [entry.answer for entry in other_store.get_all_qa_entries("chat", USER)]
        assert answers == ["new", "answer to q3"]

    def test_delete_session_removes_everything(self, store: QAStoreProtocol) -> None:
        """Entries, graph context and trace go together, the first delete answers True and the second False."""
        _ask(store, "q1")
        store.set_graph_context("chat", USER, "graph")
        store.save_trace_step(USER, "chat", _step("t1"))
        assert store.delete_session("chat", USER)
        assert store.get_all_qa_entries("chat", USER) == []
        assert store.get_graph_context("chat", USER) is None
        assert store.read_trace_steps(USER, "chat") == []
        assert not store.delete_session("chat", USER)

    def test_a_session_of_graph_or_trace_alone_is_deleted(self, store: QAStoreProtocol) -> None:
        """A session that has only a graph context, or only a trace, is there to be deleted."""
        store.set_graph_context("one", USER, "graph")
        store.save_trace_step(USER, "two", _step("t1"))
        assert store.delete_session("one", USER)
        assert store.delete_session("two", USER)

    def test_prune_removes_all_sessions(self, store: QAStoreProtocol) -> None:
        """Every session of every user is gone afterwards, and the store can be used."""
        for number in range(8):
            _ask(store, "q", session=f"chat-{number}", user=f"user-{number % 3}")
        store.set_graph_context("graph", None, "graph")
        store.save_trace_step(USER, "trace", _step("t1"))
        store.prune()
        for number in range(8):
            assert _questions(store, f"chat-{number}", f"user-{number % 3}") == []
        assert store.get_graph_context("graph", None) is None
        assert store.read_trace_steps(USER, "trace") == []
        _ask(store, "again")
        assert _questions(store) == ["again"]

    def test_pruning_an_empty_store_is_no_error(self, store: QAStoreProtocol) -> None:
        """Nothing happens where there is nothing."""
        store.prune()
        assert _questions(store) == []

    def test_a_graph_context_is_set_and_replaced(self, store: QAStoreProtocol) -> None:
        """It is None at first, then what was set last; entries need not be there, and stay where they are."""
        assert store.get_graph_context("chat", USER) is None
        store.set_graph_context("chat", USER, "one")
        assert store.get_graph_context("chat", USER) == "one"
        _ask(store, "q1")
        store.set_graph_context("chat", USER, "two")
        assert store.get_graph_context("chat", USER) == "two"
        assert _questions(store) == ["q1"]

    def test_a_trace_step_comes_back(self, store: QAStoreProtocol) -> None:
        """Every field of a step is read as it was saved, and its id is the caller's."""
        step = _step(
            "3f2b7a52-6c1e-4e0c-9f53-0b8d8f1d9a10",
            memory_query="query",
            memory_context="context",
            method_params={"a": [1, None, {"b": 1.5}]},
            method_return_value={"found": ["x"]},
            error_message="no",
            session_feedback="fine",
        )
        assert store.save_trace_step(USER, "chat", step) == step.trace_id
        assert store.read_trace_steps(USER, "chat") == [step]

    def test_trace_ids_are_told_apart(self, store: QAStoreProtocol) -> None:
        """A hundred steps that were given no id have a hundred ids of 36 characters, and are saved under them."""
        steps = [TraceStep(origin_function="search", status="success") for _ in range(100)]
        ids = [store.save_trace_step(USER, "chat", step) for step in steps]
        assert {len(trace_id) for trace_id in ids} == {36}
        assert len(set(ids)) == 100
        assert [step.trace_id for step in store.read_trace_steps(USER, "chat")] == ids

    def test_trace_steps_come_oldest_first(self, store: QAStoreProtocol, other_store: QAStoreProtocol) -> None:
        """Steps are read in the order in which they were saved, whichever client saved them."""
        for number in range(0, 10, 2):
            store.save_trace_step(USER, "chat", _step(f"t{number}"))
            other_store.save_trace_step(USER, "chat", _step(f"t{number + 1}"))
        found = store.read_trace_steps(USER, "chat")
        assert [step.trace_id for step in found] == [f"t{number}" for number in range(10)]

    def test_traces_are_apart(self, store: QAStoreProtocol) -> None:
        """Neither two users nor two sessions share a trace."""
        for user, session in (("ada", "one"), ("ada", "two"), ("bob", "one")):
            store.save_trace_step(user, session, _step(f"{user} {session}"))
        for user, session in (("ada", "one"), ("ada", "two"), ("bob", "one")):
            assert [step.trace_id for step in store.read_trace_steps(user, session)] == [f"{user} {session}"]

    @pytest.mark.parametrize("name", ["trace_id", "origin_function", "status"])
    def test_a_blank_trace_step_is_refused(self, store: QAStoreProtocol, name: str) -> None:
        """A step without an id, a function or a status is InvalidArgument, and nothing is saved."""
        with pytest.raises(InvalidArgument):
            store.save_trace_step(USER, "chat", _step("t").model_copy(update={name: "  "}))
        assert store.read_trace_steps(USER, "chat") == []
