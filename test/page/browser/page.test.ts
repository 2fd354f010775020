import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { epoch, newKey, newPlace, sdist } from '../../packsign.js';
import type { Place, TestKey } from '../../packsign.js';
import {
  accessibilityOf,
  expectQuiet,
  hasBrowser,
  serveLocally,
  useBrowser,
  verdictOf,
  visit,
} from './browser.js';
import type { Visit } from './browser.js';

const LANTERN = sdist('lantern', '1.0');
let ada: TestKey;
let mallory: TestKey;

beforeAll(async () => {
  ada = await newKey('Ada');
  mallory = await newKey('Mallory');
});

interface SiteOptions {
  readonly settings?: object;
  readonly key?: TestKey;
  readonly issued?: string;
}

/** A published directory with its page. */
async function site({ settings = {}, key = ada, issued }: SiteOptions = {}): Promise<Place> {
  const place = newPlace();
  place.write('key.asc', key.signing);
  place.write('dist/packsign.json', JSON.stringify({ Description: 'Lamps', Page: true, ...settings }));
  place.write('dist/lantern-1.0.tar.gz', LANTERN);
  place.write('dist/sub/lamp-2.0.tar.gz', sdist('lamp', '2.0'));
  const run = await place.packsign(['build', 'dist', '--first', '--key', 'key.asc'], {
    env: issued === undefined ? {} : epoch(issued),
  });
  expect(run.status, run.stderr).toBe(0);
  return place;
}

function signatureName(place: Place): string {
  const [, name = ''] = /data-database="(\w+)"/.exec(place.text('dist/index.html')) ?? [];
  return `dist/signatures/${name}.asc`;
}

/** The text and the hash that the page shows for a file dropped on an element. */
async function drop(
  { page }: Visit,
  target: string,
  file: { name: string; bytes: Uint8Array },
): Promise<void> {
  const transfer = await page.evaluateHandle(
    ({ name, bytes }) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], name));
      return data;
    },
    { name: file.name, bytes: Array.from(file.bytes) },
  );
  for (const type of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent(target, type, { dataTransfer: transfer });
}

async function resultOf({ page }: Visit): Promise<{ level: string; text: string }> {
  const box = page.locator('#results .result').first();
  await box.locator('strong').waitFor();
  return { level: (await box.getAttribute('class')) ?? '', text: (await box.textContent()) ?? '' };
}

/** Without a verified database the page only compares a file with its own list. */
async function expectHashedOnly(there: Visit): Promise<void> {
  await drop(there, '#drop', { name: 'renamed', bytes: LANTERN });
  const same = await resultOf(there);
  expect(same.level).toBe('result old');
  expect(same.text).toMatch(
    /renamed has the hash on this page, which was not checked.*lantern-1\.0\.tar\.gz/,
  );
  await drop(there, '#drop', { name: 'lantern-1.0.tar.gz', bytes: Buffer.from('?') });
  const other = await resultOf(there);
  expect(other.level).toBe('result bad');
  expect(other.text).toMatch(
    /does NOT have the hash on this page.*on this page: [0-9a-f]{64}found: 8a8de823/,
  );
  await drop(there, '#list tbody tr:first-child', { name: 'x', bytes: LANTERN });
  expect((await resultOf(there)).text).toContain('sub/lamp-2.0.tar.gz');
  await drop(there, '#drop', { name: 'other.zip', bytes: Buffer.from('?') });
  expect(await resultOf(there)).toMatchObject({
    level: 'result old',
    text: expect.stringContaining('other.zip: only hashed') as string,
  });
  expect(await there.page.locator('#results').textContent()).not.toMatch(/as signed|genuine/);
}

describe.skipIf(!hasBrowser)('the trust page in a browser', () => {
  useBrowser();

  it('closes the padlock once the database verifies, off the main thread and after the first paint', async () => {
    const there = await visit((await site()).path('dist'));
    const verdict = await verdictOf(there);
    expect(verdict).toMatchObject({ state: 'authentic', title: 'Signed by the key shown below' });
    expect(await there.page.locator('#check-note').textContent()).toMatch(
      /proves nothing against whoever runs its server/,
    );
    await expectQuiet(there);
    const times = await there.page.evaluate(() => ({
      paint: performance.getEntriesByName('first-contentful-paint')[0]!.startTime,
      worker: performance.getEntriesByType('resource').find(({ name }) => name.endsWith('/worker.js'))!
        .startTime,
    }));
    expect(times.worker).toBeGreaterThan(times.paint);
    // The worker loads OpenPGP.js, not the page.
    const scripts = await there.page.evaluate(() =>
      Array.from(document.scripts, ({ src }) => src.replace(/.*\//, '')),
    );
    expect(scripts).toEqual(['page.js']);
    expect(there.requests.some((address) => address.endsWith('/openpgp.min.js'))).toBe(true);
  });

  it('refuses a database that was changed', async () => {
    const place = await site();
    place.write('dist/packages.plist', place.text('dist/packages.plist').replace('lantern', 'lanterm'));
    const there = await visit(place.path('dist'));
    const { state, text } = await verdictOf(there);
    expect([state, text]).toEqual(['refused', expect.stringContaining('SIGNATURE_MISSING')]);
  });

  it('refuses a changed database with the old signature', async () => {
    const place = await site();
    const signature = place.read(signatureName(place));
    const text = place.text('dist/packages.plist').replace('lantern', 'lanterm');
    place.write('dist/packages.plist', text);
    const { createHash } = await import('node:crypto');
    place.write(`dist/signatures/${createHash('sha256').update(text).digest('hex')}.asc`, signature);
    const { state, text: said } = await verdictOf(await visit(place.path('dist')));
    expect([state, said]).toEqual(['refused', expect.stringContaining('SIGNATURE_INVALID')]);
  });

  it('refuses a signature that was changed', async () => {
    const place = await site();
    const name = signatureName(place);
    const armor = place.text(name).split('\n');
    armor[3] = armor[3]!.replace(
      /^(.{10})./,
      (_, start: string) => `${start}${armor[3]![10] === 'A' ? 'B' : 'A'}`,
    );
    place.write(name, armor.join('\n'));
    const { state, text } = await verdictOf(await visit(place.path('dist')));
    expect([state, text]).toEqual(['refused', expect.stringMatching(/SIGNATURE_(?:INVALID|MALFORMED)/)]);
    place.write(name, 'no armor');
    expect((await verdictOf(await visit(place.path('dist')))).text).toContain('SIGNATURE_MALFORMED');
  });

  it('refuses a database that another key signed', async () => {
    const place = await site();
    const page = place.read('dist/index.html');
    const other = await site({ key: mallory });
    other.write('dist/index.html', page);
    const { state, text } = await verdictOf(await visit(other.path('dist')));
    expect([state, text]).toEqual(['refused', expect.stringContaining('SIGNATURE_INVALID')]);
  });

  it('calls an expired database stale, and its files too', async () => {
    const place = await site({ settings: { Validity: '1 day' }, issued: '2026-01-05T00:00:00Z' });
    const there = await visit(place.path('dist'));
    const { state, text } = await verdictOf(there);
    expect([state, text]).toEqual(['stale', expect.stringContaining('expired at 2026-01-06')]);
    await drop(there, '#drop', { name: 'lantern-1.0.tar.gz', bytes: LANTERN });
    expect(await resultOf(there)).toMatchObject({
      level: 'result old',
      text: expect.stringContaining('stale') as string,
    });
  });

  it('says so if it shows another database than the one beside it, or is a copy', async () => {
    const place = await site({ settings: { Database: 'https://example.org/dist/packages.plist' } });
    const page = place.read('dist/index.html');
    const there = await visit(place.path('dist'));
    await verdictOf(there);
    expect(await there.page.locator('#check-copy').textContent()).toContain(
      'https://example.org/dist/packages.plist',
    );
    place.write('dist/lamp-3.0.tar.gz', sdist('lamp', '3.0'));
    expect((await place.packsign(['build', 'dist', '--key', 'key.asc'])).status).toBe(0);
    place.write('dist/index.html', page);
    const later = await visit(place.path('dist'));
    expect((await verdictOf(later)).state).toBe('authentic');
    expect(await later.page.locator('#check-copy').textContent()).toContain(
      'is not the one that the page shows',
    );
  });

  it('claims nothing if it cannot fetch the database', async () => {
    const place = await site();
    place.remove('dist/packages.plist');
    const verdict = await verdictOf(await visit(place.path('dist')));
    expect(verdict.state).toBe('none');
    expect(verdict.title).toContain('Not checked');
  });

  describe('where browsers do not let it check', () => {
    it('reads in full without JavaScript, and claims nothing', async () => {
      const { page, complaints } = await visit((await site()).path('dist'), { javaScriptEnabled: false });
      expect(await page.locator('#check-title').innerText()).toBe('Not checked by this browser');
      expect((await page.locator('.fingerprint').innerText()).replace(/\s/g, '')).toBe(ada.fingerprint);
      expect(await page.locator('#list tbody tr').count()).toBe(2);
      expect(await page.locator('#list').textContent()).toContain('lantern');
      expect(await page.locator('button:visible, input:visible').count()).toBe(0);
      expect(complaints).toEqual([]);
    });

    it('says so if it was opened from a file', async () => {
      const { page } = await visit('', { url: `file://${(await site()).path('dist')}/index.html` });
      expect(await page.locator('#check-title').innerText()).toMatch(/^Not checked/);
      expect(await page.locator('html').getAttribute('data-check')).toBe('none');
      expect(await page.locator('#list').textContent()).toContain('lantern');
    });

    it('still hashes files, and never calls them signed: opened from a file', async () => {
      const there = await visit('', { url: `file://${(await site()).path('dist')}/index.html` });
      await expectHashedOnly(there);
    });

    it('still hashes files if it cannot load its worker', async () => {
      const place = await site();
      const [, folder = ''] = /src="(assets\/[^/]+)\//.exec(place.text('dist/index.html')) ?? [];
      place.remove(`dist/${folder}/worker.js`);
      const there = await visit(place.path('dist'));
      expect((await verdictOf(there)).title).toMatch(/^Not checked/);
      await expectHashedOnly(there);
    });

    it('says so on plain http', async () => {
      const place = await site();
      const server = createServer((request, response) => {
        try {
          const name = (request.url ?? '/').replace(/^\/$/, '/index.html');
          const type = name.endsWith('.js')
            ? 'text/javascript'
            : name.endsWith('.css')
              ? 'text/css'
              : 'text/html';
          response.setHeader('Content-Type', type);
          response.end(readFileSync(join(place.path('dist'), name)));
        } catch {
          response.writeHead(404).end();
        }
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      const there = await visit('', { url: `http://plain.test:${port}/` });
      expect(await there.page.locator('#check-title').innerText()).toMatch(/plain http/);
      await expectHashedOnly(there);
      expect(there.complaints).toEqual([]);
      server.closeAllConnections();
      server.close();
    });

    it('says that a file was yanked, and responds while it hashes a large one', async () => {
      const yanked = { 'lantern-1.0.tar.gz': { Yanked: 'loses the flame' } };
      const place = await site({ settings: { Packages: yanked } });
      const there = await visit('', { url: `file://${place.path('dist')}/index.html` });
      await drop(there, '#drop', { name: 'x', bytes: LANTERN });
      expect((await resultOf(there)).text).toContain('Yanked: loses the flame');
      const large = place.write('large.bin', Buffer.alloc(128 * 1024 * 1024));
      // Tasks of the thread while it reads: hardly any if it never pauses.
      const tasks = there.page.evaluate(async () => {
        let count = 0;
        for (let text = ''; !text.includes('large.bin: only hashed');) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          text = document.querySelector('#results')!.textContent;
          if (text.includes('Reading')) count += 1;
        }
        return count;
      });
      await there.page.locator('#file').setInputFiles(large);
      expect(await tasks).toBeGreaterThan(5);
    });
  });

  describe('a file that is dropped', () => {
    it('is as signed, or is not', async () => {
      const there = await visit((await site()).path('dist'));
      await verdictOf(there);
      await drop(there, '#drop', { name: 'lantern-1.0.tar.gz', bytes: LANTERN });
      expect(await resultOf(there)).toMatchObject({
        level: 'result good',
        text: expect.stringContaining('is as signed') as string,
      });
      await drop(there, 'body', {
        name: 'lantern-1.0.tar.gz',
        bytes: Buffer.concat([LANTERN, Buffer.from('!')]),
      });
      const bad = await resultOf(there);
      expect(bad.level).toBe('result bad');
      expect(bad.text).toMatch(/NOT what was signed.*expected: [0-9a-f]{64}found: [0-9a-f]{64}/);
      await drop(there, 'body', { name: 'lantern-1.0.tar (1).gz', bytes: LANTERN });
      expect((await resultOf(there)).text).toContain('is as signed');
      await drop(there, 'body', { name: 'lantern-2.0.tar.gz', bytes: LANTERN });
      expect(await resultOf(there)).toMatchObject({
        level: 'result old',
        text: expect.stringContaining('is genuine, under another nameIt is lantern-1.0.tar.gz') as string,
      });
      await drop(there, 'body', { name: 'other.zip', bytes: Buffer.from('?') });
      expect((await resultOf(there)).text).toContain('is not in this database');
      // No part of it left the browser.
      await expectQuiet(there);
    });

    it('is compared with the file on whose line it is dropped', async () => {
      const there = await visit((await site()).path('dist'));
      await verdictOf(there);
      await drop(there, '#list tbody tr:first-child', { name: 'x.tar.gz', bytes: LANTERN });
      expect(await resultOf(there)).toMatchObject({
        level: 'result bad',
        text: expect.stringContaining('sub/lamp-2.0.tar.gz') as string,
      });
      await drop(there, '#list tbody tr:last-child', { name: 'x.tar.gz', bytes: LANTERN });
      expect((await resultOf(there)).level).toBe('result good');
    });

    it('can be chosen with the keyboard, also for one line', async () => {
      const place = await site();
      const { page, ...rest } = await visit(place.path('dist'));
      const there = { page, ...rest };
      await verdictOf(there);
      await page.locator('#file').focus();
      const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Space')]);
      await chooser.setFiles(place.path('dist/lantern-1.0.tar.gz'));
      expect((await resultOf(there)).level).toBe('result good');
      // The page adds buttons to rows as they come near.
      await page.locator('#packages').scrollIntoViewIfNeeded();
      await page.getByRole('button', { name: 'Check a file against sub/lamp-2.0.tar.gz' }).focus();
      const [other] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Space')]);
      await other.setFiles(place.path('dist/lantern-1.0.tar.gz'));
      await page.locator('#results .result.bad').waitFor();
    });
  });

  describe('a fingerprint from another place', () => {
    it('is compared in full, and the browser remembers a match', async () => {
      const place = await site();
      const there = await visit(place.path('dist'));
      const { page } = there;
      await page.locator('#compare').fill(`0x${ada.fingerprint.slice(-16)}`);
      expect(await page.locator('#compare-result').innerText()).toMatch(/16 digits.*proves nothing/);
      await page.locator('#compare').fill(mallory.fingerprint);
      expect(await page.locator('#compare-result').innerText()).toMatch(/^Another fingerprint/);
      await page.locator('#compare').fill(ada.fingerprint.toLowerCase().replace(/(.{4})/g, '$1 '));
      expect(await page.locator('#compare-result').innerText()).toMatch(/^The same/);
      await page.reload();
      expect(await page.locator('#check-note').innerText()).toMatch(
        /you compared the fingerprint of this key/,
      );
      // One day the server shows another key.
      const other = await site({ key: mallory });
      place.write('dist/index.html', other.read('dist/index.html'));
      await page.reload();
      expect(await page.locator('#check-note').innerText()).toMatch(/This page shows another key now/);
      await expectQuiet(there);
    });

    it('may be in the address', async () => {
      const place = await site();
      const same = await visit(place.path('dist'), { fragment: `#${ada.fingerprint}` });
      expect(await same.page.locator('#check-note').innerText()).toMatch(/names the same fingerprint/);
      const other = await visit(place.path('dist'), { fragment: `#${mallory.fingerprint}` });
      expect(await other.page.locator('#check-note').innerText()).toMatch(/names another fingerprint/);
    });
  });

  it('copies fingerprints and hashes', async () => {
    const there = await visit((await site()).path('dist'), {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const { page } = there;
    const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
    await page.getByRole('button', { name: 'Copy the fingerprint' }).click();
    await expect.poll(clipboard).toBe(ada.fingerprint);
    await page.locator('#packages').scrollIntoViewIfNeeded();
    await page.getByRole('button', { name: 'Copy the SHA-256 of lantern-1.0.tar.gz' }).click();
    await expect.poll(clipboard).toBe(await page.locator('#list tbody tr:last-child code').innerText());
    await page
      .getByRole('button', { name: 'Copy a line for sha256sum that checks sub/lamp-2.0.tar.gz' })
      .click();
    const hash = await page.locator('#list tbody tr:first-child code').innerText();
    await expect.poll(clipboard).toBe(`echo '${hash}  lamp-2.0.tar.gz' | sha256sum -c`);
    expect(await page.locator('#said').textContent()).toBe('Copied');
  });

  it('puts its own address into the lines if the database gives none', async () => {
    const there = await visit((await site()).path('dist'));
    expect(await there.page.locator('#line-packsign').textContent()).toContain(
      `packsign trust add ${there.url}packages.plist --fingerprint ${ada.fingerprint}`,
    );
  });

  it('reloads when a preview announces a change', async () => {
    const place = await site();
    const server = await serveLocally(place.path('dist'), { live: true });
    const there = await visit('', { url: server.url });
    await verdictOf(there);
    place.write('dist/index.html', place.text('dist/index.html').replace('<h1>', '<h1>New '));
    await there.page.waitForTimeout(300);
    server.tellChange();
    await there.page.locator('h1', { hasText: 'New' }).waitFor();
  });

  describe('everybody can use it', () => {
    it.each([
      ['on a desk, light', { viewport: { width: 1280, height: 900 }, colorScheme: 'light' }],
      ['on a desk, dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
      ['on a phone, light', { viewport: { width: 320, height: 640 }, colorScheme: 'light' }],
      ['on a phone, dark', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' }],
    ] as const)('%s: WCAG 2.2 AA, and no sideways scrolling', async (_, options) => {
      const trusts = [
        { URL: 'https://example.org/packages.plist', Fingerprints: [mallory.fingerprint], Maintainer: 'M' },
      ];
      const yanked = { 'lantern-1.0.tar.gz': { Yanked: 'loses the flame' } };
      const place = await site({
        settings: { Trusts: trusts, Packages: yanked, Notify: 'mailto:a@example.org' },
      });
      const there = await visit(place.path('dist'), options);
      await verdictOf(there);
      await drop(there, '#drop', { name: 'x', bytes: Buffer.from('?') });
      await resultOf(there);
      await there.page.evaluate(() =>
        document.querySelectorAll('details').forEach((one) => (one.open = true)),
      );
      expect(await accessibilityOf(there)).toEqual([]);
      const width = await there.page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBeLessThanOrEqual(options.viewport.width);
    });

    it('the list is a table for screen readers', async () => {
      const { page } = await visit((await site()).path('dist'));
      expect(await page.locator('#list').ariaSnapshot()).toMatch(
        /- table[^]*- columnheader "Version"[^]*- rowheader "lantern/,
      );
    });

    it('prints keys and lines, and nothing that needs a screen', async () => {
      const { page } = await visit((await site()).path('dist'));
      await page.emulateMedia({ media: 'print' });
      expect(await page.locator('.fingerprint').isVisible()).toBe(true);
      expect(await page.locator('.qr svg').isVisible()).toBe(true);
      expect(await page.locator('button:visible, input:visible, .check:visible').count()).toBe(0);
    });

    it.each([true, false])(
      'prints what is closed on the screen, with JavaScript: %s',
      async (javaScriptEnabled) => {
        const { page } = await visit((await site()).path('dist'), { javaScriptEnabled });
        const closed = page.locator('details:not([open]) pre');
        const count = await closed.count();
        expect(count).toBeGreaterThan(10);
        expect(await page.locator('details:not([open]) pre:visible').count()).toBe(0);
        await page.emulateMedia({ media: 'print' });
        const heights = await closed.evaluateAll((found) =>
          found.filter((one) => one.checkVisibility() && one.getBoundingClientRect().height > 20),
        );
        expect(heights).toHaveLength(count);
      },
    );

    it('opens what is closed for paper, for browsers that cannot style it, and closes it afterwards', async () => {
      const there = await visit((await site()).path('dist'));
      const { page } = there;
      const open = () => page.locator('details[open]').count();
      const print = (event: string) => page.evaluate((name) => dispatchEvent(new Event(name)), event);
      expect(await open()).toBe(1);
      await print('beforeprint');
      expect(await open()).toBe(await page.locator('details').count());
      await print('afterprint');
      expect(await open()).toBe(1);
    });
  });

  it('shows hostile content as text (T18)', async () => {
    const there = await visit(
      (
        await site({
          settings: {
            Maintainer: `"><script>alert(1)</script>${'\u05d0'.repeat(500)}`,
            Description: `</h1><img src=x onerror=alert(1)> ${'W'.repeat(60_000)}`,
            Notify: 'https://example.org/?"onfocus=alert(1)//',
            Trusts: [
              { URL: 'https://evil.example/"><script>alert(1)</script>', Fingerprints: [ada.fingerprint] },
            ],
            Packages: {
              'lantern-1.0.tar.gz': { Yanked: '<svg onload=alert(1)>' },
              lamp: {
                Name: "<img/src='x'onerror='alert(1)'>",
                Description: '\u05d0\u05d1 <script>alert(1)</script>',
              },
            },
          },
        })
      ).path('dist'),
      { viewport: { width: 360, height: 700 } },
    );
    expect((await verdictOf(there)).state).toBe('authentic');
    await expectQuiet(there);
    const { page } = there;
    const found = await page.evaluate(() => ({
      scripts: document.scripts.length,
      pictures: document.images.length,
      handlers: document.querySelectorAll('[onload], [onerror], [onfocus], [style]').length,
      addresses: Array.from(document.links, ({ protocol }) => protocol).filter(
        (protocol) => !/^(?:https?|mailto):$/.test(protocol),
      ),
      width: document.documentElement.scrollWidth,
    }));
    expect(found).toEqual({ scripts: 1, pictures: 0, handlers: 0, addresses: [], width: 360 });
    expect(await accessibilityOf(there)).toEqual([]);
  });

  it('ships at most 100 KiB of script for all of this, compressed', async () => {
    const place = await site();
    const [, folder = ''] = /src="(assets\/[^/]+)\//.exec(place.text('dist/index.html')) ?? [];
    const sizes = ['page.js', 'worker.js', 'openpgp/openpgp.min.js'].map(
      (name) => gzipSync(place.read(`dist/${folder}/${name}`), { level: 9 }).length,
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(100 * 1024);
  });
});
