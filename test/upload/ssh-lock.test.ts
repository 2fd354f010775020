import { expect, test } from 'vitest';
import { remoteShell } from '../../src/upload/ssh-lock.js';

test.each([
  [undefined, ['ssh']],
  ['', ['ssh']],
  ['ssh -p 22', ['ssh', '-p', '22']],
  [`ssh -F '/a b' -o "X y"`, ['ssh', '-F', '/a b', '-o', 'X y']],
  [`ssh -o 'it''s'`, ['ssh', '-o', `it's`]],
])('RSYNC_RSH=%s is read as rsync reads it', (command, words) => {
  expect(remoteShell(command)).toEqual(words);
});
