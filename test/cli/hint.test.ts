import { expect, test } from 'vitest';
import { hintFor } from '../../src/cli/hint.js';

const HINT = 'build again: packsign build DIRECTORY, then packsign verify DIRECTORY';

test('a hint names the directory as it was typed', () => {
  expect(hintFor(HINT, { directory: 'my dist' })).toBe(
    "build again: packsign build 'my dist', then packsign verify 'my dist'",
  );
  expect(hintFor(HINT, { directory: '.' })).toBe('build again: packsign build, then packsign verify');
  expect([hintFor(HINT, {}), hintFor(null, { directory: 'd' })]).toEqual([HINT, null]);
});

test('its commands go on from the same database, and judge absent files by the same rule', () => {
  const typed = { directory: 'dist', previous: 'https://example.org/', absent: 'keep', adopt: undefined };
  expect(hintFor(HINT, typed)).toBe(
    'build again: packsign build dist --previous https://example.org/ --absent keep, then packsign verify dist',
  );
  expect(hintFor('packsign sign DIRECTORY --key FILE', { ...typed, adopt: 'b.plist' })).toBe(
    'packsign sign dist --key FILE --previous https://example.org/ --adopt b.plist --absent keep',
  );
});

test('an option that the hint has already stays as it is', () => {
  const hint = 'packsign build DIRECTORY --absent withdraw; or packsign build DIRECTORY --previous URL';
  expect(hintFor(hint, { directory: 'dist', absent: 'ask', previous: 'u' })).toBe(
    'packsign build dist --absent withdraw --previous u; or packsign build dist --previous URL --absent ask',
  );
});
