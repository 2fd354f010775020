import { afterAll, describe, expect, it } from 'vitest';
import { sdist } from '../packsign.js';
import { drop, endAll, eventually, expectSound, startWatch, watchedPlace } from './watching.js';

afterAll(endAll);

const SUMS = 'dist/SHA256SUMS';

describe('a watch that maintains SHA256SUMS', () => {
  it('writes it with every publication, restores it, and leaves alone what somebody else wrote', async () => {
    const { place } = await watchedPlace();
    place.write('dist/packsign.json', JSON.stringify({ Checksums: true }));
    drop(place, 'dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
    const watch = startWatch(place, ['--key', 'key.asc', '--settle', '0.1s']);
    await watch.until({ event: 'ready' });
    const [sums, signature] = [place.text(SUMS), place.text(`${SUMS}.asc`)];
    expect(sums).toMatch(/^[0-9a-f]{64} {2}lantern-1\.0\.tar\.gz\n$/);

    place.remove(SUMS);
    expect((await watch.until({ event: 'unchanged' })).message).toBe('wrote SHA256SUMS');
    expect(place.text(SUMS)).toBe(sums);
    place.write(`${SUMS}.asc`, 'junk');
    await eventually('the signature is right', () => place.text(`${SUMS}.asc`) === signature);

    place.write(SUMS, 'own\n');
    const line = await watch.until({ event: 'unchanged' });
    expect(
      (line.warnings.length > 0 ? line : await watch.until({ event: 'unchanged' })).warnings,
    ).toMatchObject([{ code: 'CHECKSUMS_NOT_OURS', path: 'SHA256SUMS' }]);
    drop(place, 'dist/lantern-1.1.tar.gz', sdist('lantern', '1.1'));
    expect((await watch.until({ event: 'signed' })).warnings).toEqual([]);
    expect(place.text(SUMS)).toBe('own\n');

    place.remove(SUMS);
    place.remove(`${SUMS}.asc`);
    await eventually('there are checksums', () => place.has(`${SUMS}.asc`));
    expect(place.text(SUMS)).toContain('lantern-1.1.tar.gz');
    expect(await watch.stop()).toBe(0);
    await expectSound(place);
  });
});
