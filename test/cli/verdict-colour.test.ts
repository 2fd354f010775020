import { expect, test } from 'vitest';
import { newKey, newPlace } from '../packsign.js';
import { atTerminal } from '../terminal.js';
import { needTools } from '../tools.js';

test('at a terminal the verdict has the colour of its padlock; with NO_COLOR and --no-color none has', async (context) => {
  needTools(context, 'script');
  const place = newPlace();
  const ann = await newKey('Ann');
  place.write('key.asc', ann.secret);
  place.write('ann.asc', ann.certificate);
  place.write('dist/run.sh', '#!/bin/sh\n');
  await place.packsign(['build', 'dist', '--key', 'key.asc']);
  const verify = async (args: readonly string[], env = {}) =>
    (await atTerminal(place, ['verify', 'dist', ...args], { env })).seen;
  const [good, open] = ['\u001b[32mauthentic\u001b[39m (🔒', '\u001b[33munauthenticated\u001b[39m (🔓'];
  expect(await verify(['--keys', 'ann.asc'])).toContain(good);
  expect(await verify([])).toContain(open);
  expect(await verify([], { NO_COLOR: '1' })).not.toContain('\u001b[3');
  expect(await verify(['--no-color'])).not.toContain('\u001b[3');
  place.write('dist/packages.plist', 'x');
  expect(await verify(['--keys', 'ann.asc'])).toContain('\u001b[31mrefused\u001b[39m (refusal)');
});
