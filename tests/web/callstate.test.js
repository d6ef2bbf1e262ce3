import assert from 'node:assert/strict';
import { test } from 'node:test';

import { nextState, TRANSITIONS } from '../../web/callstate.js';

const EVENTS = ['accepted', 'rang', 'earlyMedia', 'answered', 'ended'];

/** @param {string} state @param {string[]} events */
const after = (state, ...events) => events.reduce((now, event) => nextState(now, event), state);

test('a call that is answered rings first', () => {
  assert.equal(after('connecting', 'rang'), 'ringing');
  assert.equal(after('connecting', 'rang', 'answered'), 'answered');
});

test('early media may come after ringing, and ringing again does not take it away', () => {
  assert.equal(after('connecting', 'rang', 'earlyMedia'), 'early');
  assert.equal(after('connecting', 'earlyMedia', 'rang'), 'early');
});

test('an accepted call connects before it is answered', () => {
  assert.equal(after('ringing', 'accepted'), 'connecting');
  assert.equal(after('ringing', 'accepted', 'answered'), 'answered');
});

test('an answered call does not ring again', () => {
  for (const event of ['accepted', 'rang', 'earlyMedia', 'answered']) assert.equal(after('answered', event), 'answered');
});

test('every state can end, and nothing leaves the end', () => {
  for (const state of Object.keys(TRANSITIONS)) assert.equal(after(state, 'ended'), 'ended');
  for (const event of EVENTS) assert.equal(after('ended', event), 'ended');
});
