// node scripts/screenshots.mjs: takes the screenshots docs/page*.png again, of a small database. Needs chromium; run npm run build first.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { ROOT } from './tools.mjs';

const PROGRAM = join(ROOT, 'dist/bin/packsign.js');
const PACKAGES = {
  'compass-0.3': 'Points north, more or less',
  'harbour-pilot-2.4.1': 'Guides ships through the narrows at night',
  'lantern-1.1': 'Reads the lamp, keeps the flame',
  'lantern-1.2': 'Reads the lamp, keeps the flame',
  'tide-tables-3.0rc2': 'Höhe der Flut, for every day of the year',
};
const PROGRAMS = ['linux-amd64', 'linux-arm64', 'macos-arm64', 'windows-amd64'].map(
  (platform) => `lantern-1.2-${platform}`,
);
const SETTINGS = {
  Maintainer: 'Ada Lovelace <ada@example.org>',
  Description: 'Lanterns, lamps and the tools of the harbour',
  Notify: 'mailto:ada@example.org',
  Page: true,
  Packages: { 'lantern-1.1.tar.gz': { Yanked: 'loses the flame in strong wind' } },
};

const root = mkdtempSync(join(tmpdir(), 'packsign-screenshots-'));
const dist = join(root, 'dist');

function packsign(...args) {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: root },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`packsign ${args.join(' ')}: ${stderr}`);
}

function makeSite() {
  mkdirSync(dist);
  for (const [name, summary] of Object.entries(PACKAGES)) {
    const [, project, version] = /^(.*)-([^-]+)$/.exec(name) ?? [];
    mkdirSync(join(root, name));
    const info = `Metadata-Version: 2.1\nName: ${project}\nVersion: ${version}\nSummary: ${summary}\n\n`;
    writeFileSync(join(root, name, 'PKG-INFO'), info);
    spawnSync('tar', ['-czf', join(dist, `${name}.tar.gz`), '-C', root, name]);
  }
  for (const name of PROGRAMS) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'lantern'), name);
    spawnSync('tar', ['-czf', join(dist, `${name}.tar.gz`), '-C', root, name]);
  }
  writeFileSync(join(dist, 'packsign.json'), JSON.stringify(SETTINGS));
  packsign('key', 'generate', '--user-id', SETTINGS.Maintainer, '--no-passphrase');
  packsign('build', 'dist', '--key', 'packsign-key.signing.asc');
}

async function serving() {
  const child = spawn(process.execPath, [PROGRAM, 'serve', 'dist', '--json'], { cwd: root });
  const [line] = await new Promise((resolve) => {
    child.stdout.once('data', (bytes) => resolve(String(bytes).split('\n')));
  });
  return { url: JSON.parse(line).url, stop: () => child.kill() };
}

async function shoot(browser, url, { name, state, prepare = async () => {}, ...options }) {
  const context = await browser.newContext({ viewport: { width: 1120, height: 760 }, ...options });
  const page = await context.newPage();
  await page.goto(url);
  await page.locator(`html[data-check=${state}]`).waitFor();
  await prepare(page);
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(ROOT, 'docs', `${name}.png`) });
  await context.close();
}

const executablePath = spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim();
const args = ['--disable-gpu', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
const browser = await chromium.launch({ executablePath, args });
try {
  makeSite();
  const server = await serving();
  await shoot(browser, server.url, { name: 'page', state: 'authentic' });
  await shoot(browser, server.url, {
    name: 'page-files',
    state: 'authentic',
    prepare: async (page) => {
      const good = join(dist, 'lantern-1.2.tar.gz');
      const bad = join(root, 'compass-0.3.tar.gz');
      copyFileSync(join(dist, 'compass-0.3.tar.gz'), bad);
      writeFileSync(bad, '!', { flag: 'a' });
      await page.locator('#file').setInputFiles(bad);
      await page.locator('.result.bad').waitFor();
      await page.locator('#file').setInputFiles(good);
      await page.locator('.result.good').waitFor();
      await page.evaluate(`document.getElementById('file-title').scrollIntoView()`);
    },
  });
  await shoot(browser, server.url, {
    name: 'page-phone',
    state: 'authentic',
    viewport: { width: 390, height: 760 },
    colorScheme: 'dark',
  });
  const database = join(dist, 'packages.plist');
  writeFileSync(database, readFileSync(database, 'utf8').replace('compass', 'compost'));
  await shoot(browser, server.url, {
    name: 'page-refused',
    state: 'refused',
    viewport: { width: 1120, height: 420 },
  });
  server.stop();
} finally {
  await browser.close();
  rmSync(root, { recursive: true });
}
