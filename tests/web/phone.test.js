import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Call } from '../../web/call.js';
import { Emitter } from '../../web/events.js';
import { MicrophoneError } from '../../web/microphone.js';
import { farewell, Phone } from '../../web/phone.js';
import { modeOf, titleFor } from '../../web/view.js';
import { FakeConnection, fakeMicrophone, settled } from './fakes.js';

class FakeSession extends Emitter {
  sent = [];

  newCall(remote, facts = {}) {
    return new Call(
      { name: remote, direction: 'outgoing', remote, ...facts },
      {
        send: (message) => Boolean(this.sent.push(message)),
        iceServers: () => [],
        makeConnection: (configuration) => new FakeConnection(configuration),
      },
    );
  }

  ring(remote) {
    const call = this.newCall(remote, { direction: 'incoming' });
    this.emit('incoming', call);
    return call;
  }

  types() {
    return this.sent.map(({ type }) => type);
  }
}

class FakeTones {
  playing = null;
  pressed = [];
  play = (name) => (this.playing = name);
  stop = () => (this.playing = null);
  press = (key) => {
    this.pressed.push(key);
    return () => {};
  };
}

let session, tones, history, phone, refusal;

beforeEach(() => {
  FakeConnection.made = [];
  session = new FakeSession();
  tones = new FakeTones();
  history = [];
  refusal = null;
  phone = new Phone(session, {
    openMicrophone: async () => {
      if (refusal) throw refusal;
      return fakeMicrophone();
    },
    tones,
    history: { add: (call) => history.push(call) },
  });
});

const progress = (early_media) => ({ type: 'call.progress', call: '', status: 180, early_media, headers: {} });
const answered = { type: 'call.answered', call: '', codec: '', headers: {} };
const endedBy = (cause) => ({ type: 'call.ended', call: '', cause, sip_status: 0, sentence: `${cause}.`, hint: 'Try.' });

test('ringback sounds while it rings without early media, and stops for early media and the answer', async () => {
  await phone.dial('echo');
  assert.equal(tones.playing, null);
  await phone.call.receive(progress(false));
  assert.equal(tones.playing, 'ringback');
  await phone.call.receive(progress(true));
  assert.equal(tones.playing, null);
  await phone.call.receive(answered);
  assert.equal(tones.playing, null);
});

test('a call that fails says why and sounds like it', async () => {
  await phone.dial('busy');
  await phone.call.receive(endedBy('busy'));
  assert.equal(tones.playing, 'busy');
  assert.deepEqual([phone.message.sentence, phone.message.hint, phone.message.calm], ['busy.', 'Try.', false]);
  assert.equal(history[0].outcome, 'failed');
});

test('an empty number is asked for, not dialled', async () => {
  await phone.dial('');
  assert.equal(phone.call, null);
  assert.match(phone.message.sentence, /Whom/);
});

test('a second number is not dialled while a call is up', async () => {
  await phone.dial('echo');
  await phone.dial('music');
  assert.equal(phone.call.remote, 'echo');
  assert.deepEqual(session.types(), ['call.start']);
});

test('without a microphone the gateway is not bothered', async () => {
  refusal = new MicrophoneError({ sentence: 'Blocked.', hint: 'Allow it.' });
  await phone.dial('echo');
  assert.deepEqual(session.sent, []);
  assert.equal(phone.call.state, 'ended');
  assert.deepEqual([phone.message.sentence, phone.message.hint], ['Blocked.', 'Allow it.']);
});

test('without a microphone an incoming call goes on ringing, so that it can be accepted after all', async () => {
  refusal = new MicrophoneError({ sentence: 'Blocked.', hint: 'Allow it.' });
  const call = session.ring('bob');
  await phone.accept();
  assert.equal(call.state, 'ringing');
  assert.match(phone.message.hint, /bob is still calling/);
  refusal = null;
  await phone.accept();
  assert.deepEqual(session.types(), ['call.accept']);
});

test('an incoming call rings until it is accepted', async () => {
  session.ring('bob');
  assert.equal(tones.playing, 'ringtone');
  await phone.accept();
  assert.equal(tones.playing, null);
  await phone.call.receive(answered);
  phone.hangup();
  assert.deepEqual(session.types(), ['call.accept', 'call.hangup']);
});

test('what was said about the call before is gone when the next one rings', async () => {
  await phone.dial('callback');
  await phone.call.receive(endedBy('hangup'));
  assert.equal(phone.message.sentence, 'hangup.');
  session.ring('callback');
  assert.equal(phone.message, null);
});

test('a second caller does not take away what is said about the call on the line', async () => {
  await phone.dial('echo');
  phone.say({ sentence: 'No sound.', hint: '' });
  session.ring('bob');
  assert.equal(phone.message.sentence, 'No sound.');
});

test('Escape gives up, hangs up, refuses, and closes a message', async () => {
  await phone.dial('echo');
  phone.leave();
  assert.equal(phone.call.ending.cause, 'cancelled');
  await phone.dial('echo');
  await phone.call.receive(answered);
  phone.leave();
  assert.equal(phone.call.state, 'ended');
  assert.notEqual(phone.message, null);
  phone.leave();
  assert.equal(phone.message, null);
  session.ring('bob');
  phone.leave();
  assert.deepEqual(session.types(), ['call.start', 'call.hangup', 'call.start', 'call.hangup', 'call.reject']);
});

test('a caller who gives up is a missed call', async () => {
  const call = session.ring('bob');
  await call.receive(endedBy('cancelled'));
  assert.equal(tones.playing, null);
  assert.equal(history[0].outcome, 'missed');
  assert.equal(phone.isBusy, false);
});

test('a second caller waits and rings when the line is free', async () => {
  await phone.dial('echo');
  await phone.call.receive(answered);
  const second = session.ring('bob');
  assert.deepEqual(phone.waiting, [second]);
  assert.equal(tones.playing, 'waiting');
  phone.hangup();
  assert.equal(phone.call, second);
  assert.equal(tones.playing, 'ringtone');
  assert.deepEqual(phone.waiting, []);
});

test('a waiting caller can take the place of the call', async () => {
  await phone.dial('echo');
  await phone.call.receive(answered);
  const [first, second, third] = [phone.call, session.ring('bob'), session.ring('carol')];
  await phone.swap(second);
  assert.equal(first.state, 'ended');
  assert.equal(phone.call, second);
  assert.equal(second.state, 'connecting');
  assert.deepEqual(phone.waiting, [third]);
});

test('a waiting caller who gives up leaves the call alone', async () => {
  await phone.dial('echo');
  await phone.call.receive(answered);
  const second = session.ring('bob');
  await second.receive(endedBy('cancelled'));
  assert.equal(phone.call.state, 'answered');
  assert.deepEqual(phone.waiting, []);
  assert.equal(history[0].outcome, 'missed');
});

test('keys sound always, and are sent only where somebody can hear them', async () => {
  phone.press('1');
  await phone.dial('echo');
  phone.press('2');
  await phone.call.receive(answered);
  phone.press('3');
  assert.deepEqual(tones.pressed, ['1', '2', '3']);
  assert.deepEqual(session.sent.filter(({ type }) => type === 'call.dtmf').map(({ digits }) => digits), ['3']);
});

test('digits from the far end sound here', async () => {
  await phone.dial('dtmf');
  await phone.call.receive({ type: 'call.dtmf', call: '', digits: '42' });
  assert.deepEqual(tones.pressed, ['4', '2']);
});

test('a call from before the reload is taken over with a new connection', async () => {
  session.emit('resumed', session.newCall('echo', { state: 'answered' }));
  await settled();
  assert.equal(phone.call.state, 'answered');
  assert.deepEqual(session.types(), ['call.offer']);
});

test('who hangs up hears nothing; who is hung up on does', async () => {
  const call = session.newCall('echo');
  await call.receive(answered);
  await call.receive(endedBy('hangup'));
  assert.equal(farewell(call), 'farewell');
  const own = session.newCall('echo');
  own.hangup();
  assert.equal(farewell(own), null);
  const lost = session.newCall('nobody');
  await lost.receive(endedBy('not-found'));
  assert.equal(farewell(lost), 'failed');
});

test('the page shows the buttons that fit the call', async () => {
  assert.equal(modeOf(null), 'idle');
  const call = session.ring('bob');
  assert.equal(modeOf(call), 'incoming');
  await phone.accept();
  assert.equal(modeOf(call), 'outgoing');
  await call.receive(answered);
  assert.equal(modeOf(call), 'talking');
  call.hangup();
  assert.equal(modeOf(call), 'idle');
});

test('the title of the window says who calls', async () => {
  assert.equal(titleFor(null, '', 'webtrunk'), 'webtrunk');
  const call = session.ring('bob');
  assert.match(titleFor(call, '0:00', 'webtrunk'), /bob is calling/);
  await call.receive(answered);
  assert.equal(titleFor(call, '0:12', 'webtrunk'), '0:12 bob – webtrunk');
});

test('a complaint about missing sound is taken back when sound flows again', async () => {
  await phone.dial('echo');
  const { pc } = phone.call;
  pc.become('failed');
  await settled();
  assert.match(phone.message.sentence, /No sound/);
  phone.call.pc.become('connected');
  assert.equal(phone.message, null);
});
