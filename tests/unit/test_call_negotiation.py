import pytest
from hypothesis import given
from hypothesis import strategies as st

from call.errors import GatewayError, GlareError, ImpossibleTransition, PeerError
from call.negotiation import TRANSITIONS, NegotiationEvent, NegotiationState, may_offer, next_state

S = NegotiationState
E = NegotiationEvent


def play(*events: NegotiationEvent) -> NegotiationState:
    state = S.STABLE
    for event in events:
        state = next_state(state, event)
    return state


@pytest.mark.parametrize(
    "exchange",
    [
        (E.LOCAL_OFFER, E.REMOTE_ANSWER),
        (E.LOCAL_OFFER, E.REMOTE_PREVIEW, E.REMOTE_PREVIEW, E.REMOTE_ANSWER),
        (E.LOCAL_OFFER, E.REMOTE_ANSWER, E.REMOTE_PREVIEW),
        (E.LOCAL_OFFER, E.REMOTE_REFUSAL),
        (E.REMOTE_OFFER, E.LOCAL_ANSWER),
        (E.REMOTE_OFFER, E.LOCAL_REFUSAL),
    ],
)
def test_every_complete_exchange_ends_stable(exchange: tuple[NegotiationEvent, ...]) -> None:
    assert play(*exchange) is S.STABLE


def test_an_outstanding_offer_is_remembered() -> None:
    assert play(E.LOCAL_OFFER) is S.HAVE_LOCAL_OFFER
    assert play(E.REMOTE_OFFER) is S.HAVE_REMOTE_OFFER


@pytest.mark.parametrize("first", [E.LOCAL_OFFER, E.REMOTE_OFFER])
def test_an_offer_that_meets_another_is_glare(first: NegotiationEvent) -> None:
    with pytest.raises(GlareError, match="Two offers crossed") as caught:
        play(first, E.REMOTE_OFFER)
    assert caught.value.sip_status == 491


@pytest.mark.parametrize("event", [E.REMOTE_ANSWER, E.REMOTE_REFUSAL])
def test_an_answer_without_offer_is_the_peers_fault(event: NegotiationEvent) -> None:
    with pytest.raises(PeerError, match="not offered"):
        play(event)


@pytest.mark.parametrize("event", [E.LOCAL_ANSWER, E.LOCAL_REFUSAL])
def test_our_own_answer_without_offer_is_our_bug(event: NegotiationEvent) -> None:
    with pytest.raises(ImpossibleTransition, match="while stable"):
        play(event)


def test_our_offer_waits_for_the_outstanding_one() -> None:
    assert may_offer(S.STABLE)
    for state in (S.HAVE_LOCAL_OFFER, S.HAVE_REMOTE_OFFER):
        assert not may_offer(state)
        with pytest.raises(ImpossibleTransition):
            next_state(state, E.LOCAL_OFFER)


def test_every_state_is_in_the_table_and_can_get_back_to_stable() -> None:
    assert set(TRANSITIONS) == set(S)
    assert all(S.STABLE in edges.values() for edges in TRANSITIONS.values())


@given(st.lists(st.sampled_from(E)))
def test_no_history_leaves_the_table_or_two_offers_outstanding(events: list[NegotiationEvent]) -> None:
    state = S.STABLE
    outstanding: NegotiationEvent | None = None
    for event in events:
        try:
            after = next_state(state, event)
        except GatewayError:
            continue  # an illegal event changes nothing
        if event in (E.LOCAL_OFFER, E.REMOTE_OFFER):
            assert outstanding is None
            outstanding = event
        elif event is not E.REMOTE_PREVIEW:
            assert outstanding is (E.LOCAL_OFFER if event.value.startswith("remote") else E.REMOTE_OFFER)
            outstanding = None
        assert (after is S.STABLE) is (outstanding is None)
        state = after
