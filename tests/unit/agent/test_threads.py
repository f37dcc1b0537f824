from covey.agent.threads import ThreadBook, closes
from covey.limits import THREAD_BLOCKS, THREAD_CLOSINGS


def book(*blocks):
    made = ThreadBook(lambda key: None)
    for block in blocks:
        made.note(block)
    return made


def test_a_block_closes_when_it_answers_and_commits(block):
    task = block("you", focus="task", commitment="I want it today")
    assert not closes(task)
    assert not closes(block("ann", focus="draft", parents=[task]))
    assert closes(block("ann", focus="done", commitment="it stands", parents=[task]))


def test_all_blocks_of_a_thread_have_the_ultimate_ancestor_as_root(block):
    task = block("you", focus="task")
    draft = block("ann", focus="draft", parents=[task])
    review = block("bob", focus="review", parents=[draft])
    threads = book(task, draft, review)
    assert {threads.root(each) for each in (task, draft, review)} == {task.key}


def test_a_block_that_came_before_its_parent_finds_its_thread_later(block):
    task = block("you", focus="task")
    draft = block("ann", focus="draft", parents=[task])
    review = block("bob", focus="review", commitment="c", parents=[draft])
    threads = book(review)
    assert threads.root(review) == draft.key
    assert threads.closed(task.key) == {}
    threads.note(draft)
    threads.note(task)
    assert threads.root(review) == task.key
    assert threads.closed(task.key) == {"bob": review.key}


def test_of_two_roots_the_older_names_the_thread(block):
    old, new = block("you", focus="old", at=1), block("you", focus="new", at=2)
    both = block("ann", focus="both", parents=[new, old])
    assert book(old, new, both).root(both) == old.key


def test_the_store_is_asked_for_what_was_not_noted(block):
    task = block("you", focus="task")
    draft = block("ann", focus="draft", parents=[task])
    threads = ThreadBook({task.key: task}.get)
    threads.note(draft)
    assert threads.root(draft) == task.key


def test_a_thread_is_finished_when_every_participant_closed_it(block):
    task = block("you", focus="task")
    ann = block("ann", focus="a", commitment="c", parents=[task])
    bob = block("bob", focus="b", commitment="c", parents=[ann])
    threads = book(task, ann)
    assert threads.has_closed("ann", task.key) and not threads.has_closed("bob", task.key)
    assert threads.finished({"ann", "bob"}, [ann]) is None
    threads.note(bob)
    assert threads.finished({"ann", "bob"}, [bob]) == task.key
    assert threads.finished({"ann", "bob", "cat"}, [bob]) is None
    assert threads.finished((), [bob]) is None
    assert threads.finished({"ann", "bob"}, []) is None


def test_closing_two_different_threads_finishes_neither(block):
    one, two = block("you", focus="one"), block("you", focus="two")
    ann = block("ann", focus="a", commitment="c", parents=[one])
    bob = block("bob", focus="b", commitment="c", parents=[two])
    assert book(one, two, ann, bob).finished({"ann", "bob"}, [ann, bob]) is None


def test_a_label_closes_nothing(block):
    task = block("you", focus="task")
    forged = block("ann", focus="a", commitment="c", parents=[task], node_id="eve")
    assert not book(task, forged).has_closed("ann", task.key)


def test_answers_are_counted_per_thread(block):
    one, two = block("you", focus="one"), block("you", focus="two")
    threads = book(one, two, block("ann", focus="a", parents=[one]), block("ann", focus="b", parents=[two]))
    assert threads.answered("ann", one.key) == 1
    assert threads.answered("you", one.key) == 0


def test_what_is_remembered_is_bounded(block):
    threads = book()
    for number in range(THREAD_BLOCKS + 10):
        threads.note(block("ann", focus=str(number), commitment="c", parents=["cmb-root"]))
    assert len(threads._blocks) == THREAD_BLOCKS
    assert len(threads._closings) == THREAD_CLOSINGS


def test_a_ring_of_parents_ends(block):
    first = block("ann", focus="first", parents=["cmb-second"])
    second = block("bob", focus="second", parents=[first])
    ring = {"cmb-second": second, first.key: first}
    assert ThreadBook(ring.get).root(first)


def test_a_thread_is_named_once_and_then_remembered(block):
    task = block("you", focus="task")
    chain = [task]
    for number in range(5):
        chain.append(block("ann", focus=str(number), parents=[chain[-1]]))
    looked = []
    threads = ThreadBook(lambda key: looked.append(key))
    for each in chain[1:]:
        threads.note(each)
    assert threads.root(chain[-1]) == threads.root(chain[-1]) == task.key
    assert looked == [task.key] * 2, "a root that is not held may be found to be another's child"
    threads.note(task)
    assert threads.root(chain[-1]) == task.key
    looked.clear()
    assert threads.root(chain[-1]) == task.key and looked == []
