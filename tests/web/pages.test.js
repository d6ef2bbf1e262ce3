// The small pure parts of the page: words, history, login, settings, meter, microphone problems.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { History, MOST_RECENT, outcomeOf, summary } from '../../web/history.js';
import { Login } from '../../web/login.js';
import { loudness } from '../../web/meter.js';
import { constraints, microphoneProblem } from '../../web/microphone.js';
import { loadSettings, readSettings } from '../../web/settings.js';
import { clock, duration, moment, stateInWords, who } from '../../web/words.js';
import { FakeStore } from './fakes.js';

test('times read as people say them', () => {
  assert.equal(clock(7.9), '0:07');
  assert.equal(clock(754), '12:34');
  assert.equal(clock(3723), '1:02:03');
  assert.equal(duration(0.4), '1 s');
  assert.equal(duration(59.2), '59 s');
  assert.equal(duration(150), '3 min');
  assert.equal(duration(3900), '1 h 5 min');
});

test('a moment says the day only when it is not today', () => {
  const now = new Date(2026, 10, 22, 12, 0);
  assert.doesNotMatch(moment(new Date(2026, 10, 22, 9, 5), now), /Yesterday|Nov/);
  assert.match(moment(new Date(2026, 10, 21, 9, 5), now), /^Yesterday/);
  assert.match(moment(new Date(2026, 10, 3, 9, 5), now), /3/);
});

test('every state has words of its own', () => {
  const call = (state, direction = 'outgoing', audio = 'open') =>
    ({ state, direction, audio, held: false, isIncoming: direction === 'incoming' && state === 'ringing' });
  const words = [
    null,
    call('connecting'),
    call('connecting', 'incoming'),
    call('ringing'),
    call('ringing', 'incoming'),
    call('early'),
    call('answered'),
    call('answered', 'outgoing', 'interrupted'),
    { ...call('answered'), held: true },
    call('ended'),
  ].map(stateInWords);
  assert.equal(new Set(words).size, words.length);
  assert.ok(words.every(Boolean));
});

test('a caller is named by the best that is known', () => {
  assert.equal(who({ remote: '+4930', display: 'Reception' }), 'Reception');
  assert.equal(who({ remote: '+4930', display: '' }), '+4930');
  assert.equal(who({ remote: '', display: '' }), 'Number withheld');
});

const ended = (direction, cause, { here = false, answered = false } = {}) => ({
  direction,
  remote: 'bob',
  display: '',
  startedAt: new Date(1000),
  answeredAt: answered ? new Date(5000) : null,
  endedAt: new Date(47_000),
  ending: { cause, sentence: cause, hint: '', sipStatus: 0, here },
});

test('a call is missed only if nobody dealt with it', () => {
  assert.equal(outcomeOf(ended('incoming', 'cancelled')), 'missed');
  assert.equal(outcomeOf(ended('incoming', 'rejected', { here: true })), 'ok');
  assert.equal(outcomeOf(ended('incoming', 'answered-elsewhere')), 'ok');
  assert.equal(outcomeOf(ended('outgoing', 'busy')), 'failed');
  assert.equal(outcomeOf(ended('outgoing', 'cancelled', { here: true })), 'ok');
  assert.equal(outcomeOf(ended('outgoing', 'hangup', { answered: true })), 'ok');
});

test('the history is kept newest first, bounded, and survives the page', () => {
  const store = new FakeStore();
  const history = new History(store);
  for (let i = 0; i <= MOST_RECENT; i += 1) history.add({ ...summary(ended('outgoing', 'busy')), remote: `${i}` });
  const calls = new History(store).list();
  assert.equal(calls.length, MOST_RECENT);
  assert.equal(calls[0].remote, String(MOST_RECENT));
  history.clear();
  assert.deepEqual(history.list(), []);
});

test('a talk is remembered with its length', () => {
  const { seconds, at } = summary(ended('incoming', 'hangup', { answered: true }));
  assert.equal(seconds, 42);
  assert.equal(at, '1970-01-01T00:00:01.000Z');
});

test('a damaged or forbidden storage costs the list, not the phone', () => {
  const store = new FakeStore();
  for (const damage of ['{', '7', '[1, null, {"remote": 5}]']) {
    store.setItem('webtrunk.recent-calls', damage);
    assert.deepEqual(new History(store).list(), []);
  }
  const full = { getItem: () => null, setItem: () => assert.fail('full'), removeItem: () => {} };
  const forbidden = { ...full, setItem: () => { throw new Error('QuotaExceededError'); } };
  new History(forbidden).add(summary(ended('incoming', 'hangup')));
});

function browser({ search = '', hash = '' } = {}) {
  const address = { now: `/${search}${hash}` };
  const history = { replaceState: (_state, _title, url) => (address.now = url) };
  return { address, location: { search, hash, pathname: '/' }, history, local: new FakeStore(), tab: new FakeStore() };
}

test('a token in the fragment leaves the address bar at once and stays with the tab', () => {
  const { address, ...here } = browser({ search: '?user=bob', hash: '#token=a.b.c' });
  assert.equal(new Login(here).token, 'a.b.c');
  assert.equal(address.now, '/?user=bob');
  assert.equal(new Login({ ...here, location: { search: '', hash: '', pathname: '/' } }).token, 'a.b.c');
});

test('a token in the query is not taken', () => {
  assert.equal(new Login(browser({ search: '?token=a.b.c' })).token, '');
});

test('a token that was refused is forgotten', () => {
  const login = new Login(browser({ hash: '#token=old' }));
  login.forgetToken();
  assert.equal(login.token, '');
});

test('the name is the address bar\'s, then the last one typed, then alice', () => {
  const here = browser();
  assert.equal(new Login(here).user, 'alice');
  new Login(here).user = ' carol ';
  assert.equal(new Login(here).user, 'carol');
  assert.equal(new Login({ ...here, location: { search: '?user=bob', hash: '', pathname: '/' } }).user, 'bob');
});

test('the resume key is taken once, so that a duplicated tab does not get it', () => {
  const login = new Login(browser());
  login.leaveResumeKey('key');
  assert.equal(login.takeResumeKey(), 'key');
  assert.equal(login.takeResumeKey(), '');
});

test('settings that are missing or wrong stand at their defaults', () => {
  const defaults = { auth: 'open', users: [], demo: [], title: 'webtrunk', tones: {} };
  for (const value of [null, 7, {}, { users: 'x', demo: [{ to: 1 }], title: '', auth: 'magic' },
    { tones: { busy: [], failed: [{ seconds: 0, hertz: [] }], ringback: [{ seconds: 1, hertz: ['x'] }] } }]) {
    assert.deepEqual(readSettings(value), defaults);
  }
  const settings = { auth: 'jwt', users: ['bob'], demo: [{ to: 'echo', label: 'Echo' }], title: 'Desk',
    tones: { busy: [{ seconds: 0.5, hertz: [480, 620] }] } };
  assert.deepEqual(readSettings(settings), settings);
});

test('no settings while the gateway does not answer', async () => {
  assert.equal(await loadSettings('/s', async () => { throw new TypeError('Failed to fetch'); }), null);
  assert.equal(await loadSettings('/s', async () => ({ ok: false })), null);
});

test('the meter reads nothing in silence, all at full scale, and half way down at -30 dB', () => {
  assert.equal(loudness(new Float32Array(64)), 0);
  assert.equal(loudness(new Float32Array(64).fill(1)), 1);
  assert.ok(Math.abs(loudness(new Float32Array(64).fill(10 ** (-30 / 20))) - 0.5) < 0.01);
});

test('each reason for having no microphone has its own sentence and says what to do', () => {
  const errors = ['NotAllowedError', 'NotFoundError', 'NotReadableError'].map((name) => new DOMException('x', name));
  errors.push(new DOMException('Permission denied by system', 'NotAllowedError'));
  const problems = errors.map(microphoneProblem);
  assert.equal(new Set(problems.map(({ sentence }) => sentence)).size, errors.length);
  assert.ok(problems.every(({ hint }) => hint.length > 10));
  assert.deepEqual(microphoneProblem('odd'), { sentence: 'The microphone could not be opened.', hint: 'odd' });
});

test('a remembered microphone is a wish, not a condition', () => {
  assert.deepEqual(constraints({ deviceId: 'x', processing: false }).deviceId, { ideal: 'x' });
  assert.equal(constraints({ deviceId: '', processing: true }).echoCancellation, true);
  assert.ok(!('deviceId' in constraints({ deviceId: '', processing: true })));
});
