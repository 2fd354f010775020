import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeDatabase } from '../../src/format/database.js';
import { encodeDatabase } from '../../src/format/encode-database.js';

const VECTORS = new URL('../vectors/database/', import.meta.url);
const PLACE = 'expected an http or https address without user name, ? and #';
const NOTIFY = 'Notify › expected mailto: and a mail address, or an https address';
const VERSION = '"Version" must be 0.3 or 0.5';
const BOTH = '"Maintainer" and "Signers" must both be there, or neither';
const THRESHOLD = 'the threshold must be from 1 to the number of fingerprints';
const SORTED = 'fingerprints must be sorted, each once';
const TRUSTS = 'Packsign › Trusts › "[1]" › ';

/** Why each vector is refused. The others begin with `good`. */
const REFUSED: Readonly<Record<string, string>> = {
  'database-backslash': `Database › ${PLACE}`,
  'database-bad-ipv6': `Database › ${PLACE}`,
  'database-empty-label': `Database › ${PLACE}`,
  'database-half-an-ipv4-address': `Database › ${PLACE}`,
  'database-ipv4-leading-zero': `Database › ${PLACE}`,
  'database-other-scheme': `Database › ${PLACE}`,
  'database-percent-host': `Database › ${PLACE}`,
  'database-port-0': `Database › ${PLACE}`,
  'database-port-65536': `Database › ${PLACE}`,
  'database-port-empty': `Database › ${PLACE}`,
  'database-upper-case-scheme': `Database › ${PLACE}`,
  'database-with-fragment': `Database › ${PLACE}`,
  'database-with-query': `Database › ${PLACE}`,
  'database-with-user': `Database › ${PLACE}`,
  'database-without-host': `Database › ${PLACE}`,
  'description-blank': 'Description › expected text',
  'description-blank-beyond-ascii': 'Description › expected text',
  'expires-at-issued': '"Expires" must be later than "Issued"',
  'expires-before-issued': '"Expires" must be later than "Issued"',
  'home-page-upper-case-scheme': 'Home-page › expected an http or https address',
  'home-page-with-user': 'Home-page › expected an http or https address',
  'include-relative': `Include › "[1]" › ${PLACE}`,
  'include-with-fragment': `Include › "[1]" › ${PLACE}`,
  'issued-year-0': 'expected a date like',
  'maintainer-blank': 'Maintainer: expected text',
  'maintainer-without-signers': BOTH,
  'mirror-with-query': `Mirrors › "[1]" › ${PLACE}`,
  'nesting-33': 'expected at most 32 levels',
  'notify-http': NOTIFY,
  'notify-mailto-empty': NOTIFY,
  'notify-mailto-two-addresses': NOTIFY,
  'notify-mailto-upper-case': NOTIFY,
  'notify-mailto-without-host': NOTIFY,
  'notify-mailto-without-local-part': NOTIFY,
  'path-is-a-folder': 'one path is a folder of another: demo and demo/1.0.tar.gz',
  'path-segment-256-bytes': 'a name may have at most 255 bytes',
  'signers-without-maintainer': BOTH,
  'trusts-key-twice': TRUSTS + SORTED,
  'trusts-threshold-0': TRUSTS + THRESHOLD,
  'trusts-threshold-above-keys': TRUSTS + THRESHOLD,
  'trusts-unsorted-keys': TRUSTS + SORTED,
  'trusts-url-upper-case-scheme': `${TRUSTS}URL › ${PLACE}`,
  'trusts-without-keys': TRUSTS + THRESHOLD,
  'version-0.3-with-relative-address': '"Version" must be 0.5 for relative addresses',
  'version-0.4': VERSION,
  'version-0.6': VERSION,
  'version-empty': VERSION,
  'yanked-in-packages': '"Packages" offers demo 1.0 (source), which is yanked or mutable',
};

const names = readdirSync(VECTORS)
  .filter((file) => file.endsWith('.plist'))
  .map((file) => file.replace('.plist', ''))
  .sort();

function vector(name: string): Buffer {
  return readFileSync(new URL(`${name}.plist`, VECTORS));
}

describe('databases with one defect each', () => {
  test('each is valid or in the table', () => {
    expect(names.filter((name) => !name.startsWith('good'))).toEqual(Object.keys(REFUSED).sort());
  });

  test.each(Object.entries(REFUSED))('%s is refused', (name, reason) => {
    expect(() => decodeDatabase(vector(name))).toThrow(
      expect.objectContaining({
        code: 'DATABASE_MALFORMED',
        message: expect.stringContaining(reason) as string,
      }) as Error,
    );
  });

  test.each(names.filter((name) => name.startsWith('good')))('%s is read', (name) => {
    const bytes = vector(name);
    const database = decodeDatabase(bytes);
    // Unknown keys of Packsign, which one of them has, are not written.
    if (!bytes.includes('Zebra')) expect(encodeDatabase(database).equals(bytes)).toBe(true);
  });
});
