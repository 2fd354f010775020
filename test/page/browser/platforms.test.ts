import { beforeAll, describe, expect, it } from 'vitest';
import { newKey, newPlace, sdist } from '../../packsign.js';
import type { Place } from '../../packsign.js';
import { accessibilityOf, expectQuiet, hasBrowser, useBrowser, visit } from './browser.js';
import type { Visit } from './browser.js';

const PLATFORMS = [
  ...['_linux_amd64', '_linux_arm64', '_linux_armv7', '_darwin_amd64', '_darwin_arm64', '_windows_amd64'],
  ...['_windows', '_freebsd_amd64', '_amd64', '_android_arm64', '_amiga', ''],
];
/** Without a script. */
const PLAIN = [
  ...['Android, ARM64', 'FreeBSD, x86-64', 'Linux, ARM 32-bit', 'Linux, ARM64', 'Linux, x86-64'],
  ...['macOS, ARM64', 'macOS, x86-64', 'Windows', 'Windows, x86-64', 'x86-64, any system', 'Any system'],
];

interface Machine {
  readonly platform: string;
  readonly userAgent: string;
  /** Of browsers that tell more. */
  readonly hints?: { readonly platform: string; readonly architecture?: string; readonly bitness?: string };
  readonly first: readonly string[];
  readonly label: string;
}

const MACHINES: Readonly<Record<string, Machine>> = {
  'Firefox on Linux': {
    platform: 'Linux x86_64',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    first: ['Linux, x86-64', 'x86-64, any system', 'Any system'],
    label: 'this machine',
  },
  'Firefox on Linux for ARM': {
    platform: 'Linux aarch64',
    userAgent: 'Mozilla/5.0 (X11; Linux aarch64; rv:140.0) Gecko/20100101 Firefox/140.0',
    first: ['Linux, ARM64', 'Any system'],
    label: 'this machine',
  },
  'Safari on a Mac': {
    platform: 'MacIntel',
    userAgent:
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605',
    first: ['macOS, ARM64', 'macOS, x86-64'],
    label: 'this system',
  },
  'Chrome on a new Mac': {
    platform: 'MacIntel',
    userAgent:
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36',
    hints: { platform: 'macOS', architecture: 'arm', bitness: '64' },
    first: ['macOS, ARM64', 'Any system'],
    label: 'this machine',
  },
  'Chrome on Windows': {
    platform: 'Win32',
    userAgent: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36',
    hints: { platform: 'Windows', architecture: 'x86', bitness: '64' },
    first: ['Windows, x86-64', 'Windows', 'x86-64, any system', 'Any system'],
    label: 'this machine',
  },
  'Chrome on a telephone': {
    platform: 'Linux armv81',
    userAgent: 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36',
    hints: { platform: 'Android', architecture: '', bitness: '' },
    first: ['Android, ARM64', 'Any system'],
    label: 'this machine',
  },
  'a browser that says nothing': {
    platform: '',
    userAgent: 'Mozilla/5.0',
    first: PLAIN,
    label: '',
  },
};

describe.runIf(hasBrowser)('the files for the own machine', () => {
  useBrowser();
  let place: Place;
  beforeAll(async () => {
    place = newPlace();
    place.write('key.asc', (await newKey('Ada')).signing);
    for (const platform of PLATFORMS) {
      const name = `lantern_1.0.0${platform}`;
      place.write(`dist/${name}.tar.gz`, sdist(name, '1'));
    }
    place.write('dist/packsign.json', JSON.stringify({ Page: true }));
    const run = await place.packsign(['build', 'dist', '--first', '--key', 'key.asc']);
    expect(run.status, run.stderr).toBe(0);
  });

  const headings = ({ page }: Visit) =>
    page
      .locator('.platform h3')
      .evaluateAll((found) => found.map(({ firstChild }) => firstChild!.textContent!.trim()));
  const links = ({ page }: Visit) => page.locator('.jump a').allInnerTexts();

  it('are in a complete and plain list without JavaScript', async () => {
    const there = await visit(place.path('dist'), { javaScriptEnabled: false });
    expect(await headings(there)).toEqual(PLAIN);
    expect(await links(there)).toEqual(PLAIN);
    expect(await there.page.locator('#list tbody th a').count()).toBe(PLATFORMS.length);
  });

  it.each(Object.entries(MACHINES))('come first: %s', async (_, { first, label, ...machine }) => {
    const there = await visit(place.path('dist'), { viewport: { width: 360, height: 640 } });
    await there.page.addInitScript(({ platform, userAgent, hints }) => {
      const given = (name: string, value: unknown) =>
        Object.defineProperty(Navigator.prototype, name, { get: () => value });
      given('platform', platform);
      given('userAgent', userAgent);
      const getHighEntropyValues = () => Promise.resolve(hints);
      given('userAgentData', hints && { platform: hints.platform, getHighEntropyValues });
    }, machine);
    await there.page.reload();
    await expect.poll(() => headings(there).then((all) => all.slice(0, first.length))).toEqual(first);
    const all = await headings(there);
    expect(await links(there)).toEqual(all);
    expect([...all].sort()).toEqual([...PLAIN].sort());
    const marked = await there.page.locator('.platform h3 .here').allInnerTexts();
    expect(new Set(marked)).toEqual(new Set(label === '' ? [] : [label]));
    await expectQuiet(there);
    expect(await accessibilityOf(there)).toEqual([]);
  });

  it('come first also where the browser refuses to tell more', async () => {
    const there = await visit(place.path('dist'), { viewport: { width: 360, height: 640 } });
    await there.page.addInitScript(() => {
      const getHighEntropyValues = () => Promise.reject(new Error('not allowed'));
      const value = { platform: 'Windows', getHighEntropyValues };
      Object.defineProperty(Navigator.prototype, 'userAgentData', { get: () => value });
    });
    await there.page.reload();
    await expect.poll(() => headings(there).then(([one]) => one)).toMatch(/^Windows/);
    await expectQuiet(there);
  });

  it('stay in their order when the reader searches, and empty platforms go', async () => {
    const there = await visit(place.path('dist'));
    await there.page.locator('#search').fill('arm64');
    await expect.poll(() => there.page.locator('#search-result').innerText()).toBe('3 found');
    const shown = await there.page.locator('.platform:visible h3').allInnerTexts();
    expect(shown.map((text) => text.split(',')[0]).sort()).toEqual(['Android', 'Linux', 'macOS']);
  });
});
