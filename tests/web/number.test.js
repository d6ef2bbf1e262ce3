import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cleanDestination, LONGEST_DESTINATION } from '../../web/number.js';

const EXAMPLES = {
  '030 1234-56': '030123456',
  '+49 (0) 30 / 12.34.56': '+4930123456',
  '0049 (0)30 1234': '0049301234',
  '(0)30 1234': '0301234',
  '\u202a+1 212\u00a0555\u20110123\u202c': '+12125550123',
  'tel:+49-30-1234;phone-context=example.org': '+49301234',
  'TEL:+1': '+1',
  'tel:+1-2;ext=5': '+12',
  'sip:bob@example.org;transport=tcp?subject=x': 'bob',
  'SIPS:bob:secret@example.org': 'bob',
  'sip:%2B49-30-123@example.org': '+4930123',
  'sip:bob%40home@example.org': 'bob@home',
  'sip:50%@example.org': '50%',
  'bob@example.org': 'bob@example.org',
  '\uff10\uff11\uff12': '012',
  '*100#': '*100#',
  '+49+30': '+4930',
  '  Front   door ': 'Front door',
  'echo\r\n': 'echo',
  'jörg': 'jörg',
  ' ': '',
  '()-': '',
};

for (const [pasted, dialled] of Object.entries(EXAMPLES)) {
  test(`${JSON.stringify(pasted)} is dialled as ${JSON.stringify(dialled)}`, () => {
    assert.equal(cleanDestination(pasted), dialled);
  });
}

test('what was cleaned stays as it is', () => {
  for (const dialled of Object.values(EXAMPLES)) assert.equal(cleanDestination(dialled), dialled);
});

test('a pasted novel is cut to what the gateway takes', () => {
  assert.equal(cleanDestination('x'.repeat(5000)).length, LONGEST_DESTINATION);
});
