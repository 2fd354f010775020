import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { python, startServer } from '../net/servers.js';
import type { RunningServer } from '../net/servers.js';
import { newKey, newPlace, sdist } from '../packsign.js';
import type { Place, TestKey } from '../packsign.js';
import { hasTools, skip } from '../tools.js';
import { hasBrowser, useBrowser, visit } from './browser/browser.js';

/** The lines that the page prints, run in a shell against a real server. */

const FOLDER = "my files/50% [1-2] {a,b} it's";
const ENCODED = FOLDER.split('/').map(encodeURIComponent).join('/');

/** What `Database` says, for a site at an address; null if it says nothing. */
const FORMS = {
  'a folder with a slash': (site) => `${site}/`,
  'a folder without a slash': (site) => site,
  'the address of packages.plist': (site) => `${site}/packages.plist`,
  'the address of the page': (site) => `${site}/index.html`,
  'a path with brackets as they are': (site) => site.replace('%5B1-2%5D', '[1-2]'),
  'a path with every sign encoded': (site) => site.replaceAll("'", '%27'),
} satisfies Record<string, (site: string) => string>;

/** One that prints an address and no command: it is a program with windows. */
const WITHOUT_SHELL = 'PackMan';

interface Outcome {
  readonly status: number | null;
  readonly printed: string;
}

/** A way to check, as the page prints it. */
interface Way {
  readonly title: string;
  readonly lines: string;
  readonly good: readonly string[];
  readonly bad: readonly string[];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function textOf(html: string): string {
  return html.replace(/&(\w+|#39);/g, (_, name: string) => ENTITIES[name] ?? '?');
}

/** Every block of lines for a shell on the page: none that it prints may be left untried. */
function waysOn(html: string): readonly Way[] {
  return html
    .split('<summary>With ')
    .slice(1)
    .map((part) => {
      const [lines = '', good = '', bad = ''] = Array.from(
        part.split('</details>')[0]?.matchAll(/<pre[^>]*>([^<]*)<\/pre>/g) ?? [],
        ([, text = '']) => textOf(text),
      );
      return { title: part.split('<')[0] ?? '', lines, good: good.split('\n'), bad: bad.split('\n') };
    })
    .filter(({ title }) => title !== WITHOUT_SHELL);
}

/** Whether a program printed a line of the page, in which `…` stands for any text. */
function hasLine(printed: string, line: string): boolean {
  const source = line
    .split('…')
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .join('.*');
  return new RegExp(source).test(printed);
}

function toolVersion(program: string): string {
  const { error, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return error === undefined ? stdout : '';
}

const TITLES = ['packsign', 'GnuPG', 'gpgv', 'Sequoia', 'sha256sum'];
/** Beside those, where SHA256SUMS is published. */
const MANY = 'sha256sum and gpgv, for many files';
const TOOLS = ['curl', 'gpg', 'gpgv', 'python3', 'sha256sum', 'sqv'] as const;

describe.runIf(hasTools(...TOOLS))('the lines of the trust page', () => {
  useBrowser();
  let ada: TestKey;
  let mallory: TestKey;
  let place: Place;
  let server: RunningServer;
  let site: string;
  beforeAll(async () => {
    [ada, mallory] = await Promise.all([newKey('Ada'), newKey('Mallory')]);
    place = newPlace();
    mkdirSync(place.path(`www/${FOLDER}`), { recursive: true });
    server = await startServer({ ...python(place.path('www')), keepsUser: true });
    site = `http://127.0.0.1:${server.ports[0] ?? 0}/${ENCODED}`;
    place.write(
      'bin/packsign',
      `#!/bin/sh\nexec '${process.execPath}' '${resolve('dist/bin/packsign.js')}' "$@"\n`,
    );
    spawnSync('chmod', ['+x', place.path('bin/packsign')]);
  });
  afterAll(() => server.stop());

  /** Publishes two files in the folder that the server serves; returns the page. */
  async function publish(database: string | null, { signers = [ada], settings = {} } = {}): Promise<string> {
    const directory = `www/${FOLDER}`;
    place.remove(directory);
    const own = database === null ? {} : { Database: database };
    place.write(`${directory}/packsign.json`, JSON.stringify({ Page: true, ...own, ...settings }));
    place.write(`${directory}/lantern-1.0.tar.gz`, sdist('lantern', '1.0'));
    place.write(`${directory}/sub/lamp-2.0-linux-amd64.tar.gz`, sdist('lamp', '2.0'));
    const keys = signers.flatMap((signer, index) => {
      return ['--key', place.write(`key-${index}.asc`, signer.signing)];
    });
    const run = await place.packsign([
      'build',
      directory,
      '--first',
      '--threshold',
      String(signers.length),
      ...keys,
    ]);
    expect(run.status, run.stderr).toBe(0);
    return place.text(`${directory}/index.html`);
  }

  function newFolder(): string {
    return mkdtempSync(join(place.root, 'folder-'));
  }

  /** Pastes the lines of a way into a shell with an empty HOME, beside the downloads. */
  function paste(lines: string, { home = newFolder(), altered = false } = {}): Outcome {
    const cwd = newFolder();
    mkdirSync(join(cwd, 'sub'));
    for (const name of ['lantern-1.0.tar.gz', 'sub/lamp-2.0-linux-amd64.tar.gz']) {
      const bytes = place.read(`www/${FOLDER}/${name}`);
      for (const path of [name, basename(name)])
        writeFileSync(join(cwd, path), altered ? bytes.subarray(1) : bytes);
    }
    const env = { PATH: `${place.path('bin')}:${process.env['PATH'] ?? ''}`, HOME: home, LC_ALL: 'C' };
    const { status, stdout, stderr } = spawnSync('sh', ['-c', lines], { cwd, env, encoding: 'utf8' });
    return { status, printed: `${stdout}\n${stderr}` };
  }

  function alter(): void {
    const database = `www/${FOLDER}/packages.plist`;
    place.write(database, place.text(database).replace('lantern', 'lanterm'));
  }

  function expectGood(html: string, titles: readonly string[] = TITLES): void {
    const ways = waysOn(html);
    expect(ways.map(({ title }) => title)).toEqual(titles);
    for (const { title, lines, good, bad } of ways) {
      const { status, printed } = paste(lines);
      expect([title, status], printed).toEqual([title, 0]);
      expect(
        good.filter((line) => !hasLine(printed, line)),
        printed,
      ).toEqual([]);
      expect(
        bad.filter((line) => hasLine(printed, line)),
        printed,
      ).toEqual([]);
    }
  }

  it.each(Object.entries(FORMS))('find good what Database names by %s', async (_, form) => {
    expectGood(await publish(form(site)));
  });

  it.each(['/?token=a', '/packages.plist?a=b', '/#a', ' /'])(
    'are not for an address that ends in %s, which settings cannot give',
    async (end) => {
      place.write('other/packsign.json', JSON.stringify({ Page: true, Database: `${site}${end}` }));
      const run = await place.packsign(['build', 'other', '--first']);
      expect([run.status, run.stderr]).toEqual([2, expect.stringContaining('packsign.json: Database: ')]);
    },
  );

  it.runIf(hasBrowser)(
    'find good a database without an address, once a browser has filled it in',
    async () => {
      await publish(null);
      const { page } = await visit('', { url: `${site}/` });
      await page.locator('#address', { hasText: `${site}/packages.plist` }).waitFor();
      expectGood(await page.content());
    },
  );

  it('trust the databases that the maintainer vouches for', async () => {
    const html = await publish(site, {
      settings: { Trusts: [{ URL: `${site}/`, Fingerprints: [ada.fingerprint], Maintainer: 'Ada' }] },
    });
    const [, line = ''] = /<pre id="trust-1"[^>]*>([^<]*)</.exec(html) ?? [];
    const { status, printed } = paste(textOf(line));
    expect([status, printed]).toEqual([0, expect.stringContaining('trusted from now on')]);
  });

  it('have the same for sq 1', async (context) => {
    const html = await publish(site);
    const [, line = ''] = /The same with sq 1: ([^<]*)/.exec(html) ?? [];
    expect(line).toMatch(/^sq verify /);
    if (!/^sq [1-9]/.test(toolVersion('sq'))) skip(context, 'sq 1 or newer is not installed');
    const fetch = waysOn(html)
      .find(({ title }) => title === 'Sequoia')!
      .lines.split('\n')[0]!;
    expect(paste(`${fetch}\n${line}`).status).toBe(0);
    alter();
    expect(paste(`${fetch}\n${line}`).status).not.toBe(0);
  });

  it('compare many files where SHA256SUMS is published, and know an altered one of either', async () => {
    const html = await publish(null, { settings: { Database: site, Checksums: true } });
    expectGood(html, [...TITLES, MANY]);
    const { lines, good, bad } = waysOn(html).find(({ title }) => title === MANY)!;
    const download = paste(lines, { altered: true });
    place.write(`www/${FOLDER}/SHA256SUMS`, `${place.text(`www/${FOLDER}/SHA256SUMS`)}# more\n`);
    const list = paste(lines);
    expect([download.status, list.status], download.printed + list.printed).toEqual([1, 1]);
    expect(bad.map((line) => [hasLine(download.printed, line), hasLine(list.printed, line)])).toEqual([
      [false, true],
      [true, false],
    ]);
    expect(good.filter((line) => hasLine(list.printed, line))).toEqual([]);
  });

  it('find good what two keys signed, and say how many must have, where a program does not count', async () => {
    const html = await publish(site, { signers: [ada, mallory], settings: { Checksums: true } });
    expectGood(html, [...TITLES, MANY]);
    expect(html.split('There must be good signatures by 2 different keys')).toHaveLength(4);
    expect(html).toContain('sqv -n 2 ');
    expect(html).toContain('sq verify --signatures=2 ');
  });

  it('fail for an altered database and download, as the page says that failure looks', async () => {
    const html = await publish(site);
    alter();
    for (const { title, lines, good, bad } of waysOn(html)) {
      const { status, printed } = paste(lines, { altered: true });
      expect([title, status], printed).toEqual([title, expect.not.toBeOneOf([0, null])]);
      expect(
        good.filter((line) => hasLine(printed, line)),
        printed,
      ).toEqual([]);
      expect(
        bad.filter((line) => hasLine(printed, line)),
        printed,
      ).not.toEqual([]);
    }
  });

  it('print every failure that the page shows for one fault or another', async () => {
    const html = await publish(site);
    const unseen = new Set(waysOn(html).flatMap(({ bad }) => bad));
    const homes = new Map(waysOn(html).map(({ title }) => [title, newFolder()]));
    const look = () => {
      for (const { title, lines, bad } of waysOn(html)) {
        const { printed } = paste(lines, { home: homes.get(title)!, altered: true });
        for (const line of bad) if (hasLine(printed, line)) unseen.delete(line);
      }
    };
    // Somebody trusts the database, which is then altered, and then another one.
    look();
    alter();
    look();
    const keys = ['keys.asc', 'keys.gpg'].map((name) => [name, place.read(`www/${FOLDER}/${name}`)] as const);
    await publish(site, { signers: [mallory] });
    for (const [name, bytes] of keys) place.write(`www/${FOLDER}/${name}`, bytes);
    look();
    homes.clear();
    look();
    expect(Array.from(unseen)).toEqual([]);
  });
});
