import { gunzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { ar, rpm, tar } from '../archives/packages.js';
import { codeOf, emptyZip, newKey, newPlace, npmTarball, sdist } from '../packsign.js';
import type { TestKey } from '../packsign.js';

const WHOLE: Readonly<Record<string, Buffer>> = {
  'a-1.0.tar.gz': sdist('a', '1.0'),
  'b-1.0.tgz': npmTarball('b', '1.0'),
  'c-1.0.tar': gunzipSync(sdist('c', '1.0')),
  'd-1.0.zip': emptyZip('d'),
  'e-1.0.gem': tar({ path: 'metadata', text: 'name: e' }),
  'f_1.0_all.deb': ar({ name: 'debian-binary', contents: '2.0\n' }, { name: 'control.tar', contents: '' }),
  'g-1.0-1.noarch.rpm': rpm({ 1000: 'g', 1001: '1.0', 1002: '1', 1022: 'noarch' }),
};

let ann: TestKey;

beforeAll(async () => {
  ann = await newKey('Ann');
});

test.each(Object.entries(WHOLE))(
  'T39: what is provably incomplete is not signed: %s',
  async (name, bytes) => {
    const place = newPlace();
    place.write('ann.asc', ann.signing);
    place.write('dist/whole-1.0.tar.gz', sdist('whole', '1.0'));
    place.write(`dist/${name}`, bytes.subarray(0, Math.ceil(bytes.length / 2)));
    expect(codeOf(await place.json(['build', 'dist', '--key', 'ann.asc']))).toBe('DAMAGED');
    expect((await place.json(['build', 'dist'])).status).toBe(0);
    expect(codeOf(await place.json(['sign', 'dist', '--key', 'ann.asc']))).toBe('DAMAGED');
    expect(place.has('dist/packages.plist')).toBe(false);
    const watch = await place.packsign([
      'watch',
      'dist',
      '--once',
      '--key',
      'ann.asc',
      '--settle',
      '1 second',
    ]);
    expect([watch.status, watch.stderr]).toEqual([1, expect.stringContaining(`held ${name} DAMAGED`)]);
    expect(place.text('dist/packages.plist')).toContain('whole-1.0.tar.gz');
    expect(place.text('dist/packages.plist')).not.toContain(name);
  },
);
