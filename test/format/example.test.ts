import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { newPlace } from '../packsign.js';

// Whoever writes a reader of their own begins with the example of the format document.

const FORMAT = readFileSync(new URL('../../docs/FORMAT.md', import.meta.url), 'utf8');

/** The text of the code block that matches. */
function block(pattern: RegExp): string {
  const text = Array.from(FORMAT.matchAll(/^```\w*\n(.*?)\n```$/gms), ([, each = '']) => each).find((each) =>
    pattern.test(each),
  );
  if (text === undefined) throw new Error(`no block of docs/FORMAT.md matches ${pattern}`);
  return text;
}

test('the example of docs/FORMAT.md is a signed database with the hash and size that it says', async () => {
  const place = newPlace();
  const [, sha256 = ''] = /^Its SHA-256 is `([0-9a-f]{64})`/m.exec(FORMAT) ?? [];
  const [, issued = ''] = /<key>Issued<\/key>\s*<date>(.*?)<\/date>/.exec(FORMAT) ?? [];
  const [, fingerprint = ''] = /with the fingerprint `([0-9A-F]{40})`/.exec(FORMAT) ?? [];
  const database = block(/<plist/);
  expect(FORMAT).toContain(`${database.length.toLocaleString('en-US')} bytes; the last line has no line end`);
  place.write('dist/packages.plist', database);
  place.write(`dist/signatures/${sha256}.asc`, `${block(/BEGIN PGP SIGNATURE/)}\n`);
  place.write('dist/keys.asc', `${block(/BEGIN PGP PUBLIC KEY BLOCK/)}\n`);
  const args = ['verify', 'dist', '--no-files', '--allow-stale', '--fingerprint', fingerprint];
  const { status, value } = await place.json(args);
  expect([status, value]).toMatchObject([0, { sha256, issued, pinnedBy: 'option' }]);
  const { stdout } = await place.packsign([...args, '--files']);
  expect(stdout).toMatch(/\n {2}missing: lantern-0\.9\.tar\.gz\n/);
});
