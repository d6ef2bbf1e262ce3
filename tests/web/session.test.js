import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';

import { pauseBefore, Session } from '../../web/session.js';
import { FakeConnection, fakeMicrophone, FakeSocket, settled, WELCOME } from './fakes.js';

beforeEach(() => {
  FakeSocket.opened = [];
  FakeConnection.made = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
});

function newSession(options = {}) {
  const session = new Session({
    url: 'ws://gateway/signal',
    user: 'alice',
    openSocket: (url) => new FakeSocket(url),
    makeConnection: (configuration) => new FakeConnection(configuration),
    random: () => 1,
    ...options,
  });
  session.states = [];
  session.on('state', (state) => session.states.push(state));
  return session;
}

const lastSocket = () => FakeSocket.opened.at(-1);

/** Connect, and let the gateway say welcome. */
async function online(options, welcome = {}) {
  const session = newSession(options);
  const connected = session.connect();
  lastSocket().open();
  lastSocket().say({ ...WELCOME, ...welcome });
  await connected;
  return session;
}

/** The socket breaks and the gateway takes the page back. */
function comeBack(session, welcome = {}) {
  lastSocket().lose();
  mock.timers.tick(400);
  lastSocket().open();
  lastSocket().say({ ...WELCOME, resumed: true, ...welcome });
}

test('says hello first and is online after welcome', async () => {
  const session = await online();
  assert.deepEqual(lastSocket().sent[0], { type: 'hello', version: 1, token: '', user: 'alice', session: '' });
  assert.deepEqual(session.states, ['connecting', 'online']);
  assert.equal(session.welcome.display, 'Alice');
});

test('a refused login is final and says why', async () => {
  const session = newSession();
  const connected = session.connect();
  lastSocket().open();
  lastSocket().say({ type: 'error', code: 'unauthorized', message: 'The token has expired.', hint: 'Get another.' });
  lastSocket().lose(1008);
  await assert.rejects(connected, /The token has expired/);
  mock.timers.tick(60_000);
  assert.equal(session.state, 'refused');
  assert.equal(FakeSocket.opened.length, 1);
});

test('a lost socket is opened again with growing pauses', async () => {
  const session = await online();
  lastSocket().lose();
  assert.equal(session.state, 'offline');
  mock.timers.tick(399);
  assert.equal(FakeSocket.opened.length, 1);
  mock.timers.tick(1);
  assert.equal(FakeSocket.opened.length, 2);
  lastSocket().lose();
  mock.timers.tick(799);
  assert.equal(FakeSocket.opened.length, 2);
  mock.timers.tick(1);
  assert.equal(FakeSocket.opened.length, 3);
});

test('pauses grow, stay bounded, and differ between pages', () => {
  assert.ok(pauseBefore(0, 0) < pauseBefore(0, 1));
  assert.ok(pauseBefore(3, 1) > pauseBefore(2, 1));
  assert.equal(pauseBefore(50, 1), 10_000);
});

test('wake tries at once', async () => {
  const session = await online();
  lastSocket().lose();
  session.wake();
  assert.equal(FakeSocket.opened.length, 2);
});

test('the session is taken over by its key alone, since a token may have expired meanwhile', async () => {
  await online({ token: 'jwt', user: '' });
  assert.equal(lastSocket().sent[0].token, 'jwt');
  lastSocket().lose();
  mock.timers.tick(400);
  lastSocket().open();
  assert.deepEqual(lastSocket().sent[0], { type: 'hello', version: 1, token: '', user: '', session: 'key1' });
});

test('a key that is not known any more makes way for the token', async () => {
  const session = await online({ token: 'jwt', user: '' });
  lastSocket().lose();
  mock.timers.tick(400);
  lastSocket().open();
  lastSocket().say({ type: 'error', code: 'unauthorized', message: 'This gateway asks for a token.' });
  lastSocket().lose(1008);
  lastSocket().open();
  assert.deepEqual(lastSocket().sent[0], { type: 'hello', version: 1, token: 'jwt', user: '', session: '' });
  assert.notEqual(session.state, 'refused');
});

test('a page that was replaced by another tab does not fight for the session', async () => {
  const session = await online();
  lastSocket().lose(1000);
  mock.timers.tick(60_000);
  assert.equal(session.state, 'refused');
  assert.equal(FakeSocket.opened.length, 1);
});

test('pings as often as the gateway asks, and gives up a socket that does not answer', async () => {
  const session = await online();
  const socket = lastSocket();
  mock.timers.tick(15_000);
  assert.deepEqual(socket.messages('ping'), [{ type: 'ping', sequence: 1 }]);
  socket.say({ type: 'pong', sequence: 1 });
  mock.timers.tick(15_000);
  assert.equal(session.state, 'online');
  mock.timers.tick(5_000);
  assert.equal(session.state, 'offline');
  assert.ok(socket.isClosed);
});

test('a gateway that never says welcome is tried again', () => {
  const session = newSession();
  session.connect();
  lastSocket().open();
  mock.timers.tick(10_000);
  assert.equal(session.state, 'offline');
});

test('a message that only a newer page knows is passed over', async () => {
  const session = await online();
  lastSocket().say({ type: 'call.weather', call: 'x' });
  assert.equal(session.state, 'online');
});

test('a call is started with an offer at once and passes through its states', async () => {
  const session = await online();
  const call = await session.call('echo', fakeMicrophone(), { 'X-Ticket': '7' });
  const [start] = lastSocket().messages('call.start');
  assert.deepEqual(start, { ...start, to: 'echo', sdp: 'offer 1 of connection 0', headers: { 'X-Ticket': '7' } });
  assert.match(start.call, /^[A-Za-z0-9_-]{1,64}$/);
  const states = [];
  call.on('state', (state) => states.push(state));
  lastSocket().say({ type: 'call.answer-sdp', call: call.name, sdp: 'answer', record: 'r1' });
  lastSocket().say({ type: 'call.progress', call: call.name, status: 180, early_media: false });
  lastSocket().say({ type: 'call.progress', call: call.name, status: 183, early_media: true });
  lastSocket().say({ type: 'call.answered', call: call.name, codec: 'Opus' });
  lastSocket().say({ type: 'call.ended', call: call.name, cause: 'hangup', sip_status: 200, sentence: 'echo hung up.' });
  await settled();
  assert.deepEqual(states, ['ringing', 'early', 'answered', 'ended']);
  assert.equal(call.record, 'r1');
  assert.deepEqual(FakeConnection.made[0].answers, ['answer']);
  assert.equal(call.ending.sentence, 'echo hung up.');
  assert.equal(session.calls.size, 0);
});

test('two calls have different names', async () => {
  const session = await online();
  assert.notEqual(session.newCall('a').name, session.newCall('a').name);
});

test('the ICE servers of welcome are used, and none when there are none', async () => {
  const turn = { urls: 'turn:t', username: 'u', credential: 'c' };
  const session = await online({}, { ice_servers: [turn] });
  await session.call('echo', fakeMicrophone());
  assert.deepEqual(FakeConnection.made[0].configuration, { iceServers: [turn] });
});

test('an incoming call is announced and answered with an offer', async () => {
  const session = await online();
  const incoming = new Promise((resolve) => session.on('incoming', resolve));
  lastSocket().say({ type: 'call.incoming', call: 'g1', remote: 'bob', display: 'Bob', to: 'alice', record: 'r2' });
  const call = await incoming;
  assert.equal(call.isIncoming, true);
  await call.accept(fakeMicrophone());
  assert.deepEqual(lastSocket().messages('call.accept'), [
    { type: 'call.accept', call: 'g1', sdp: 'offer 1 of connection 0' },
  ]);
  assert.equal(call.state, 'connecting');
});

test('without a connection a call ends at once and says so', async () => {
  const session = await online();
  lastSocket().lose();
  const microphone = fakeMicrophone();
  const call = await session.call('echo', microphone);
  assert.equal(call.state, 'ended');
  assert.match(call.ending.sentence, /no connection to the gateway/);
  assert.ok(microphone.track.isStopped);
});

test('a call goes on when the socket comes back', async () => {
  const session = await online();
  const call = await session.call('echo', fakeMicrophone());
  comeBack(session, { calls: [{ call: call.name, direction: 'outgoing', remote: 'echo', state: 'answered' }] });
  assert.equal(call.state, 'answered');
  assert.equal(session.calls.get(call.name), call);
});

test('a call of which the gateway knows nothing any more has ended', async () => {
  const session = await online();
  const call = await session.call('echo', fakeMicrophone());
  comeBack(session, { resumed: false });
  assert.equal(call.ending.cause, 'connection-lost');
});

test('a call that was hung up while the socket was lost is hung up when it is back', async () => {
  const session = await online();
  const call = await session.call('echo', fakeMicrophone());
  lastSocket().lose();
  call.hangup();
  mock.timers.tick(400);
  lastSocket().open();
  lastSocket().say({
    ...WELCOME,
    resumed: true,
    calls: [{ call: call.name, direction: 'outgoing', remote: 'echo', state: 'answered' }],
  });
  assert.deepEqual(lastSocket().messages('call.hangup'), [{ type: 'call.hangup', call: call.name }]);
});

test('calls end by themselves when the gateway stays away longer than its grace', async () => {
  const session = await online();
  const call = await session.call('echo', fakeMicrophone());
  lastSocket().lose();
  mock.timers.tick(29_999);
  assert.equal(call.state, 'connecting');
  mock.timers.tick(1);
  assert.match(call.ending.sentence, /lost for too long/);
});

test('a reloaded page gets back the calls it had', async () => {
  const resumed = [];
  const incoming = [];
  const session = newSession({ resumeKey: 'key1' });
  session.on('resumed', (call) => resumed.push(call));
  session.on('incoming', (call) => incoming.push(call));
  session.connect();
  lastSocket().open();
  assert.equal(lastSocket().sent[0].session, 'key1');
  lastSocket().say({
    ...WELCOME,
    resumed: true,
    calls: [
      { call: 'p-1', direction: 'outgoing', remote: 'echo', state: 'answered' },
      { call: 'g-1', direction: 'incoming', remote: 'bob', state: 'ringing' },
    ],
  });
  assert.equal(resumed[0].state, 'answered');
  assert.equal(incoming[0].remote, 'bob');
  await resumed[0].attach(fakeMicrophone());
  assert.deepEqual(lastSocket().messages('call.offer'), [
    { type: 'call.offer', call: 'p-1', sdp: 'offer 1 of connection 0' },
  ]);
});

test('goodbye ends the calls here and there, and leaves no key', async () => {
  const session = await online();
  const call = await session.call('echo', fakeMicrophone());
  session.goodbye();
  assert.deepEqual(lastSocket().messages('goodbye'), [{ type: 'goodbye' }]);
  assert.equal(call.state, 'ended');
  assert.equal(session.resumeKey, '');
});

test('an error about a call is told by the call, any other by the session', async () => {
  const session = await online();
  const call = await session.call('echo', fakeMicrophone());
  const heard = [];
  call.on('problem', ({ sentence }) => heard.push(['call', sentence]));
  session.on('error', ({ message }) => heard.push(['session', message]));
  lastSocket().say({ type: 'error', code: 'refused', message: 'Not now.', hint: '', call: call.name });
  lastSocket().say({ type: 'error', code: 'bad-message', message: 'What?', hint: '' });
  assert.deepEqual(heard, [
    ['call', 'Not now.'],
    ['session', 'What?'],
  ]);
});
