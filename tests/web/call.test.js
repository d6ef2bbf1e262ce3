import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

import { Call } from '../../web/call.js';
import { FakeConnection, fakeMicrophone, settled } from './fakes.js';

beforeEach(() => {
  FakeConnection.made = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
});

function newCall(facts = {}, isOnline = () => true) {
  const sent = [];
  const call = new Call(
    { name: 'p1', direction: 'outgoing', remote: 'echo', ...facts },
    {
      send: (message) => isOnline() && Boolean(sent.push(message)),
      iceServers: () => [],
      makeConnection: (configuration) => new FakeConnection(configuration),
    },
  );
  return { call, sent };
}

async function answeredCall() {
  const made = newCall();
  made.microphone = fakeMicrophone();
  await made.call.start(made.microphone);
  await made.call.receive({ type: 'call.answer-sdp', call: 'p1', sdp: 'answer 1', record: 'r' });
  await made.call.receive({ type: 'call.answered', call: 'p1', codec: 'Opus', headers: {} });
  made.connection = FakeConnection.made[0];
  made.connection.become('connected');
  return made;
}

const offers = (sent) => sent.filter(({ type }) => type === 'call.offer');

test('hanging up stops the microphone and the connection at once', async () => {
  const { call, sent, microphone, connection } = await answeredCall();
  call.hangup();
  call.hangup();
  assert.equal(call.state, 'ended');
  assert.equal(call.ending.here, true);
  assert.ok(microphone.track.isStopped && connection.isClosed);
  assert.equal(sent.filter(({ type }) => type === 'call.hangup').length, 1);
});

test('the gateway hears nothing of a call that was given up before it began', async () => {
  const { call, sent } = newCall();
  call.hangup();
  const microphone = fakeMicrophone();
  await call.start(microphone);
  assert.deepEqual(sent, []);
  assert.ok(microphone.track.isStopped);
});

test('refusing is for a call that rings here, and only once', () => {
  const { call, sent } = newCall({ direction: 'incoming' });
  call.reject();
  call.reject();
  assert.deepEqual(sent, [{ type: 'call.reject', call: 'p1' }]);
  const outgoing = newCall();
  outgoing.call.reject();
  assert.deepEqual(outgoing.sent, []);
});

test('muting silences the track and unmuting brings it back', async () => {
  const { call, microphone } = await answeredCall();
  call.muted = true;
  assert.deepEqual([call.muted, microphone.track.enabled], [true, false]);
  call.muted = false;
  assert.deepEqual([call.muted, microphone.track.enabled], [false, true]);
});

test('another microphone keeps the mute and lets the old one go', async () => {
  const { call, microphone, connection } = await answeredCall();
  call.muted = true;
  const other = fakeMicrophone();
  await call.replaceMicrophone(other);
  assert.equal(connection.senders[0].track, other.track);
  assert.equal(other.track.enabled, false);
  assert.ok(microphone.track.isStopped);
});

test('digits are sent and remembered; digits that could not be sent are reported', async () => {
  let isOnline = true;
  const { call, sent } = newCall({ state: 'answered' }, () => isOnline);
  const problems = [];
  call.on('problem', ({ sentence }) => problems.push(sentence));
  call.dtmf('1');
  isOnline = false;
  call.dtmf('2');
  assert.deepEqual(sent, [{ type: 'call.dtmf', call: 'p1', digits: '1' }]);
  assert.equal(call.digits, '1');
  assert.deepEqual(problems, ['2 was not sent.']);
});

test('a call is held once the gateway says so, and a page that comes back knows it', async () => {
  let isOnline = true;
  const { call, sent } = newCall({ state: 'answered' }, () => isOnline);
  const [told, problems] = [[], []];
  call.on('hold', (on) => told.push(on));
  call.on('problem', ({ sentence }) => problems.push(sentence));
  call.hold(true);
  assert.deepEqual(sent, [{ type: 'call.hold', call: 'p1', on: true }]);
  assert.equal(call.held, false);
  await call.receive({ type: 'call.held', call: 'p1', on: true });
  assert.equal(call.held, true);
  call.resume('answered', true);
  call.resume('answered', false);
  assert.deepEqual(told, [true, false]);
  isOnline = false;
  call.hold(true);
  assert.deepEqual(problems, ['The call was not put on hold.']);
  assert.equal(newCall({ state: 'answered', held: true }).call.held, true);
});

test('a page knows that its call is recorded, also one that comes back', async () => {
  const { call } = newCall({ state: 'answered' });
  const told = [];
  call.on('recording', (on) => told.push(on));
  await call.receive({ type: 'call.recording', call: 'p1', on: true });
  assert.equal(call.recorded, true);
  call.resume('answered', false, true);
  call.resume('answered', false, false);
  assert.deepEqual(told, [true, false]);
  assert.equal(newCall({ state: 'answered', recorded: true }).call.recorded, true);
});

test('only an answered call can be held', () => {
  const { call, sent } = newCall({ direction: 'incoming' });
  call.hold(true);
  assert.deepEqual(sent, []);
});

test('a path that is silent for a moment is left to heal by itself', async () => {
  const { call, sent, connection } = await answeredCall();
  connection.become('disconnected');
  assert.equal(call.audio, 'interrupted');
  mock.timers.tick(999);
  connection.become('connected');
  mock.timers.tick(5000);
  await settled();
  assert.deepEqual(offers(sent), []);
  assert.equal(call.audio, 'open');
});

test('a path that stays silent gets an ICE restart on the same connection', async () => {
  const { sent, connection } = await answeredCall();
  connection.become('disconnected');
  mock.timers.tick(1000);
  await settled();
  assert.equal(connection.restarts, 1);
  assert.deepEqual(offers(sent), [{ type: 'call.offer', call: 'p1', sdp: 'offer 2 of connection 0' }]);
});

test('a path that has failed gets a new connection with the same microphone, still muted', async () => {
  const { call, sent, microphone, connection } = await answeredCall();
  call.muted = true;
  connection.become('failed');
  await settled();
  assert.ok(connection.isClosed);
  assert.equal(call.pc, FakeConnection.made[1]);
  assert.equal(call.pc.senders[0].track, microphone.track);
  assert.equal(call.muted, true);
  assert.deepEqual(offers(sent), [{ type: 'call.offer', call: 'p1', sdp: 'offer 1 of connection 1' }]);
});

test('an answer to an offer that was replaced since is dropped', async () => {
  const { call, connection } = await answeredCall();
  connection.become('disconnected');
  mock.timers.tick(1000);
  await settled();
  connection.become('failed');
  await settled();
  await call.receive({ type: 'call.answer-sdp', call: 'p1', sdp: 'late answer', record: 'r' });
  await call.receive({ type: 'call.answer-sdp', call: 'p1', sdp: 'right answer', record: 'r' });
  assert.deepEqual(call.pc.answers, ['right answer']);
});

test('a page that is asked for another offer makes one on the connection as it is, and shows the new codec', async () => {
  const { call, sent, connection } = await answeredCall();
  const told = [];
  call.on('codec', (codec) => told.push(codec));
  await call.receive({ type: 'call.renegotiate', call: 'p1', why: 'The trunk speaks PCMA.' });
  assert.deepEqual(offers(sent), [{ type: 'call.offer', call: 'p1', sdp: 'offer 2 of connection 0' }]);
  assert.equal(connection.restarts, 0);
  assert.equal(call.codec, 'Opus');
  await call.receive({ type: 'call.answer-sdp', call: 'p1', sdp: 'answer 2', record: 'r', codec: 'Both speak PCMA.' });
  assert.deepEqual(connection.answers, ['answer 1', 'answer 2']);
  assert.deepEqual([call.codec, told], ['Both speak PCMA.', ['Both speak PCMA.']]);
});

test('a restart that is under way when an offer is asked for is answered by the last answer', async () => {
  const { call, sent, connection } = await answeredCall();
  connection.become('disconnected');
  mock.timers.tick(1000);
  await settled();
  await call.receive({ type: 'call.renegotiate', call: 'p1', why: 'The trunk speaks PCMA.' });
  await call.receive({ type: 'call.answer-sdp', call: 'p1', sdp: 'of the restart', record: 'r', codec: '' });
  await call.receive({ type: 'call.answer-sdp', call: 'p1', sdp: 'of both', record: 'r', codec: '' });
  assert.equal(offers(sent).length, 2);
  assert.deepEqual(connection.answers, ['answer 1', 'of both']);
});

test('a page whose audio is not there yet, or a call that is over, has nothing to offer when asked', async () => {
  const reloaded = newCall({ state: 'answered' });
  await reloaded.call.receive({ type: 'call.renegotiate', call: 'p1', why: 'The trunk speaks PCMA.' });
  const { call, sent } = await answeredCall();
  call.hangup();
  await call.receive({ type: 'call.renegotiate', call: 'p1', why: 'The trunk speaks PCMA.' });
  assert.deepEqual([offers(reloaded.sent), offers(sent)], [[], []]);
});

test('an offer that the gateway refused does not spoil the next one', async () => {
  const { call, connection } = await answeredCall();
  connection.become('failed');
  await settled();
  call.refused({ sentence: 'No.', hint: '' });
  FakeConnection.made[1].become('failed');
  await settled();
  await call.receive({ type: 'call.answer-sdp', call: 'p1', sdp: 'answer', record: 'r' });
  assert.deepEqual(call.pc.answers, ['answer']);
});

test('a call that comes back with its socket offers again if sound is still missing', async () => {
  const { call, sent, connection } = await answeredCall();
  call.resume('answered');
  await settled();
  assert.deepEqual(offers(sent), []);
  connection.iceConnectionState = 'disconnected';
  call.resume('answered');
  await settled();
  assert.equal(offers(sent).length, 1);
});

test('an answer that the browser cannot use ends the call with the reason', async () => {
  const { call, sent } = newCall();
  await call.start(fakeMicrophone());
  await call.receive({ type: 'call.answer-sdp', call: 'p1', sdp: 'broken', record: 'r' });
  assert.equal(call.state, 'ended');
  assert.match(call.ending.hint, /Failed to parse/);
  assert.equal(sent.at(-1).type, 'call.hangup');
});

test('an ended call repairs nothing', async () => {
  const { call, sent, connection } = await answeredCall();
  connection.become('disconnected');
  call.hangup();
  mock.timers.tick(10_000);
  await settled();
  assert.deepEqual(offers(sent), []);
});

test('the first ending stands', async () => {
  const { call } = await answeredCall();
  call.hangup();
  await call.receive({ type: 'call.ended', call: 'p1', cause: 'hangup', sip_status: 200, sentence: 'Late.', hint: '' });
  assert.equal(call.ending.sentence, 'You hung up.');
});
