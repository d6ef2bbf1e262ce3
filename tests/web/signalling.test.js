import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { decode, encode, MAX_MESSAGE_BYTES, SignallingError } from '../../web/signalling.js';

const samples = JSON.parse(readFileSync(new URL('signalling-messages.json', import.meta.url), 'utf8'));

for (const sample of samples.server) {
  test(`reads ${sample.type}`, () => {
    assert.deepEqual(decode(JSON.stringify(sample)), sample);
  });

  test(`refuses ${sample.type} with a required field missing or of the wrong type`, () => {
    const optional = new Set(['type', 'headers', 'hint', 'ice_servers', 'features', 'calls', 'version']);
    for (const name of Object.keys(sample).filter((each) => !optional.has(each))) {
      const wrong = JSON.stringify({ ...sample, [name]: { not: 1 } });
      assert.throws(() => decode(wrong), new RegExp(`${sample.type}\\.${name} is missing or wrong`));
    }
  });
}

for (const sample of samples.client) {
  test(`writes ${sample.type} as the gateway reads it`, () => {
    assert.deepEqual(JSON.parse(encode(sample)), sample);
  });
}

test('fields left out stand at their defaults', () => {
  const { headers, ...sample } = samples.server.find(({ type }) => type === 'call.progress');
  assert.deepEqual(decode(JSON.stringify(sample)).headers, headers);
});

test('a field that only a newer gateway knows is left out', () => {
  assert.deepEqual(decode('{"type":"pong","sequence":1,"mood":"good"}'), { type: 'pong', sequence: 1 });
});

for (const frame of ['', 'hello', '[]', 'null', '7', '{}', '{"type":"toString"}', '{"type":"call.unheard-of"}']) {
  test(`refuses ${frame || 'an empty frame'}`, () => {
    assert.throws(() => decode(frame), SignallingError);
  });
}

test('a frame that the gateway would refuse is not sent', () => {
  const sdp = 'ä'.repeat(MAX_MESSAGE_BYTES / 2);
  assert.throws(() => encode({ type: 'call.offer', call: 'p', sdp }), /longer than/);
});
