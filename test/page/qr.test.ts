import jsqr from 'jsqr';
import { beforeAll, describe, expect, it } from 'vitest';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { TestKey } from '../packsign.js';
import { hasBrowser, useBrowser, verdictOf, visit } from './browser/browser.js';
import type { Visit } from './browser/browser.js';

describe.runIf(hasBrowser)('the QR code on the page', () => {
  useBrowser();
  let keys: readonly TestKey[];
  beforeAll(async () => {
    keys = await Promise.all(['Ada', 'Bob', 'Cay'].map((name) => newKey(name)));
  });

  async function siteOf(settings: object, signers: readonly TestKey[]): Promise<string> {
    const place = newPlace();
    place.write('dist/packsign.json', JSON.stringify({ Page: true, ...settings }));
    place.write('dist/lantern-1.0.tar.gz', sdist('lantern', '1.0'));
    const options = signers.flatMap(({ signing }, index) => [
      '--key',
      place.write(`key-${index}.asc`, signing),
    ]);
    const run = await place.packsign(['build', 'dist', '--first', ...options]);
    expect(run.status, run.stderr).toBe(0);
    return place.path('dist');
  }

  /** What a camera reads on the screen. */
  async function scan(there: Visit): Promise<string | null> {
    const { page } = there;
    // Its text moves the code while the browser takes the picture.
    await verdictOf(there);
    const picture = await page.locator('.qr svg').screenshot();
    const blank = await page.context().newPage();
    const { data, width, height } = await blank.evaluate(async (bytes) => {
      const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
      canvas.drawImage(bitmap, 0, 0);
      const image = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
      return { data: Array.from(image.data), width: image.width, height: image.height };
    }, Array.from(picture));
    const read = jsqr.default(Uint8ClampedArray.from(data), width, height);
    return read === null ? null : read.data;
  }

  const fingerprints = (signers: readonly TestKey[]) => signers.map(({ fingerprint }) => fingerprint).sort();

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 360],
    ['dark', 360],
  ] as const)('is the address of the page and the fingerprint: %s, %i px', async (colorScheme, width) => {
    const signers = keys.slice(0, 1);
    const site = await siteOf({ Database: "https://example.org/my%20files/it's/packages.plist" }, signers);
    const there = await visit(site, { colorScheme, viewport: { width, height: 800 } });
    expect(await scan(there)).toBe(`https://example.org/my%20files/it's/#${signers[0]!.fingerprint}`);
  });

  it('is the same on paper', async () => {
    const there = await visit(await siteOf({}, keys.slice(0, 1)), { colorScheme: 'dark' });
    await there.page.emulateMedia({ media: 'print' });
    expect(await scan(there)).toBe(`OPENPGP4FPR:${keys[0]!.fingerprint}`);
  });

  it('has all the keys that sign, and opens a page that compares them', async () => {
    const site = await siteOf({ Database: 'https://example.org/dist' }, keys);
    const text = await scan(await visit(site));
    expect(text).toMatch(/^https:\/\/example\.org\/dist\/#/);
    const fragment = text!.slice(text!.indexOf('#'));
    expect(fragment.slice(1).split('+').sort()).toEqual(fingerprints(keys));
    const opened = await visit(site, { fragment });
    expect(await opened.page.locator('#check-note').innerText()).toMatch(/names the same fingerprint/);
  });
});
