import { expect, test } from 'vitest';
import { reportList } from '../../src/cli/report-trust.js';
import type { ListResult, ListedPackage } from '../../src/index.js';

// What else these reports say is tested in consume/trust, consume/get and consume/audit.

test('a list has as many lines as a database may have files', () => {
  const entry = (index: number): ListedPackage => ({
    ...{ name: `tool${index}`, version: '1.0', flavor: 'installer', platform: null, path: `${index}.zip` },
    ...{ size: 1, md5: null, yanked: null, description: null, sha256: null, since: null },
  });
  const packages = Array.from({ length: 250_000 }, (_, index) => entry(index));
  const result = { ...EMPTY, packages } as unknown as ListResult;
  const { lines } = reportList(result);
  expect(lines.filter((line) => line.includes('.zip'))).toHaveLength(250_000);
  expect(lines.at(-1)).toBe('250,000 files, 250,000 packages');
});

const EMPTY = {
  ...{ ok: true, status: 'authentic', code: null, message: null, database: 'packages.plist', from: null },
  ...{
    name: null,
    sha256: null,
    issued: null,
    expires: null,
    signatures: [],
    maintainer: null,
    notify: null,
  },
  ...{
    foreign: false,
    trusted: null,
    notices: [],
    changes: [],
    findings: [],
    threshold: null,
    accepted: null,
  },
};
