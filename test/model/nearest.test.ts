import { expect, test } from 'vitest';
import { nearestOf } from '../../src/model/nearest.js';

test.each<readonly [string, readonly string[], string | null]>([
  ['lanern', ['lamp', 'lantern', 'landing'], 'lantern'],
  ['LANTERN', ['lantern'], 'lantern'],
  ['lantern-1.0.tar.gz', ['old/lantern-1.0.tar.gz'], 'old/lantern-1.0.tar.gz'],
  ['ab', ['xy', 'abcde'], null],
  ['kye', ['yes', 'key'], 'key'],
  ['all', ['url'], null],
  ['python', ['lantern'], null],
  ['', ['lantern'], null],
  ['lantern', [], null],
])('%s among %j is %s', (word, known, near) => {
  expect(nearestOf(word, known)).toBe(near);
});
