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

test('it names the keys that were typed, with what they need', () => {
  const typed = { directory: 'dist', key: ['my key.asc'], 'passphrase-file': 'pass' };
  expect(hintFor('packsign sign DIRECTORY --key FILE', typed)).toBe(
    "packsign sign dist --key 'my key.asc' --passphrase-file pass",
  );
  expect(hintFor('packsign key show KEY says it', typed)).toBe("packsign key show 'my key.asc' says it");
  expect(hintFor('packsign trust add https://x --keys FILE', { keys: 'ann.asc' })).toBe(
    'packsign trust add https://x --keys ann.asc',
  );
});

test('where the settings name the key, nothing has to be typed', () => {
  const typed = { directory: 'dist', signsWith: ['k.asc'] };
  expect(hintFor('packsign build DIRECTORY --key KEY --trust-clock', typed)).toBe(
    'packsign build dist --sign --trust-clock',
  );
  expect(hintFor('packsign sign DIRECTORY --key FILE', typed)).toBe('packsign sign dist');
  expect(hintFor('packsign key publish DIRECTORY --key FILE', typed)).toBe(
    'packsign key publish dist --key k.asc',
  );
});

test('a build that was to sign is followed by one that signs', () => {
  const typed = { $0: 'packsign build', directory: 'dist', key: ['k.asc'] };
  expect(hintFor('packsign build DIRECTORY --first', typed)).toBe('packsign build dist --first --key k.asc');
  const signing = { directory: 'dist', $0: 'packsign sign', key: ['k.asc'] };
  expect(hintFor('packsign build DIRECTORY', signing)).toBe('packsign build dist');
});

test('its commands list, sign and publish by the options that were typed, if they take them', () => {
  const typed = {
    ...{
      $0: 'packsign build',
      directory: 'dist',
      exclude: ['internal-*'],
      threshold: '2',
      'pack-man': false,
    },
    ...{ publish: true, strict: true, rehash: true, wait: '1min', json: true, 'allow-damaged': ['a,b.zip'] },
  };
  expect(hintFor('packsign build DIRECTORY --allow-damaged c,d.zip, then look', typed)).toBe(
    "packsign build dist --allow-damaged c,d.zip --publish --threshold 2 --no-pack-man --exclude 'internal-*' --allow-damaged a,b.zip, then look",
  );
  expect(hintFor('packsign sign DIRECTORY --key FILE', typed)).toBe(
    "packsign sign dist --key FILE --threshold 2 --no-pack-man --exclude 'internal-*' --allow-damaged a,b.zip",
  );
  expect(hintFor('packsign diff DIRECTORY shows it', typed)).toBe(
    "packsign diff dist --threshold 2 --no-pack-man --exclude 'internal-*' shows it",
  );
});

test('what the hint says takes the place of what was typed', () => {
  const typed = { $0: 'packsign build', directory: 'dist', first: true, validity: '2y', adopt: 'b.plist' };
  expect(hintFor('packsign build DIRECTORY --validity "3 days"', typed)).toBe(
    'packsign build dist --validity "3 days" --adopt b.plist --first',
  );
  expect(hintFor('packsign build DIRECTORY --previous b.plist', typed)).toBe(
    'packsign build dist --previous b.plist --validity 2y',
  );
});

test('a build that was not to sign is followed by one that does not', () => {
  const typed = { $0: 'packsign build', directory: 'dist', key: ['k.asc'], sign: false };
  expect(hintFor('packsign build DIRECTORY --first', typed)).toBe(
    'packsign build dist --first --key k.asc --no-sign',
  );
});

test('a passphrase from standard input is not there a second time', () => {
  const typed = { directory: 'dist', key: ['k.asc'], 'passphrase-file': '-' };
  expect(hintFor('packsign sign DIRECTORY --key FILE', typed)).toBe('packsign sign dist --key k.asc');
});

test('a folder of working state stands once, beside a directory or a bucket', () => {
  expect(hintFor('packsign build DIRECTORY', { directory: 'dist', state: 's' })).toBe(
    'packsign build dist --state s',
  );
  expect(hintFor('packsign build DIRECTORY', { directory: 's3://b/p', state: 's' })).toBe(
    'packsign build s3://b/p --state s',
  );
});
