import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listFolder, readBounded, writeDurably } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { readTree, removeTree, writeTree } from '../disk/tree.js';
import type { Tree } from '../disk/tree.js';
import { PacksignError, reasonOf } from '../errors.js';
import { DATABASE_LIMIT_BYTES } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import { ASSETS_FOLDER, DATABASE_NAME, PAGE_NAME } from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import { readStamp, renderPage } from '../web/page.js';
import type { PageKey, Stamp } from '../web/page.js';
import { nameOf } from './judge.js';
import { readPublished, readPublishedKeys } from './published.js';

export interface PageOptions {
  /** A folder with a template of the user's own; null takes packsign's. */
  readonly template: string | null;
  /** Writes over a page that was edited by hand. */
  readonly force: boolean;
  readonly stateFolder: string;
}

export interface PageResult {
  /** The page's path. */
  readonly page: string;
  /** The folder of its scripts and styles. */
  readonly assets: string;
  /** SHA-256 of the page. */
  readonly sha256: string;
  /** False where the very page stood there already. */
  readonly written: boolean;
}

/**
 * Writes the trust page of what is published in a directory (cli contract, `page`). Nothing but the database,
 * the keys and the template decide about its bytes. Throws NOT_PUBLISHED, PREVIOUS_INVALID, PAGE_EDITED,
 * TEMPLATE_INVALID, and those of reading and writing.
 */
export async function page(directory: string, options: PageOptions): Promise<PageResult> {
  const unlock = takeLock(options.stateFolder);
  try {
    const published = await readPublished(directory);
    if (published === null) {
      throw new PacksignError(
        'NOT_PUBLISHED',
        `there is no ${join(directory, DATABASE_NAME)} to make a page of`,
        {
          hint: 'publish a database first: packsign build --key FILE',
        },
      );
    }
    const keys = await readPublishedKeys(directory);
    const shown = { database: published.database, sha256: published.sha256, keys };
    const template = readTemplate(options.template);
    if (!options.force) requireOwnPage(directory);
    return await writePage(directory, shown, template);
  } finally {
    unlock();
  }
}

/** What a page shows. */
export interface Shown {
  readonly database: Database;
  readonly sha256: string;
  readonly keys: { readonly armored: Uint8Array; readonly certificates: readonly Certificate[] };
}

/**
 * Brings the page up to date after a publication, from packsign's own template. The database is published whatever
 * comes of it: what keeps the page as it was is a warning.
 */
export async function refreshPage(directory: string, shown: Shown): Promise<readonly Warning[]> {
  try {
    const template = readTemplate(null);
    const standing = readPage(directory);
    if (standing !== null) {
      const stamp = readStamp(standing, hashOf);
      if (stamp === null) return [pageWarning('PAGE_EDITED', 'was edited by hand and left alone')];
      if (stamp.own) {
        return [
          pageWarning(
            'PAGE_EDITED',
            'was made with --template and left alone: run packsign page --template DIR',
          ),
        ];
      }
      if (isMadeFrom(stamp, stampOf(shown, template)) && hasAssets(directory, template)) return [];
    }
    await writePage(directory, shown, template);
    return [];
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    return [pageWarning('PAGE_NOT_WRITTEN', `was not written: ${error.message}`)];
  }
}

/** Puts right what a run left that ended between publication and page. Reads the database only where it has to. */
export async function repairPage(directory: string, sha256: string): Promise<readonly Warning[]> {
  const standing = readPage(directory);
  if (standing !== null && readStamp(standing, hashOf)?.database === sha256) return [];
  const published = await readPublished(directory);
  if (published === null) return [];
  return await refreshPage(directory, { ...published, keys: await readPublishedKeys(directory) });
}

function pageWarning(code: 'PAGE_EDITED' | 'PAGE_NOT_WRITTEN', message: string): Warning {
  return { code, path: PAGE_NAME, message };
}

interface Template {
  readonly html: string;
  readonly assets: Tree;
  /** SHA-256 of all of it. */
  readonly sha256: string;
  readonly own: boolean;
}

const TEMPLATE_NAME = 'index.eta';
/** Three folders above the compiled file. */
const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));

/** Packsign's own template, and over it the files of a folder. */
function readTemplate(folder: string | null): Template {
  const files = new Map([
    ...readTree(join(PACKAGE, 'dist/page')),
    ...readTree(join(PACKAGE, 'templates/page')),
  ]);
  for (const [path, bytes] of folder === null ? [] : readTree(folder)) files.set(path, bytes);
  const html = files.get(TEMPLATE_NAME) ?? new Uint8Array();
  const assets = new Map(
    Array.from(files)
      .filter(([path]) => path !== TEMPLATE_NAME)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  const list = [[TEMPLATE_NAME, html] as const, ...assets].map(
    ([path, bytes]) => `${nameOf(bytes)} ${path}\n`,
  );
  return {
    html: Buffer.from(html).toString('utf8'),
    assets,
    sha256: hashOf(list.join('')),
    own: folder !== null,
  };
}

/** Scripts and styles stand under a name of their own for each version, so that caches may keep them for ever. */
function assetsFolder({ sha256 }: Template): string {
  return `${ASSETS_FOLDER}/packsign-${sha256.slice(0, 12)}`;
}

async function writePage(directory: string, shown: Shown, template: Template): Promise<PageResult> {
  const { database, sha256, keys } = shown;
  const assets = assetsFolder(template);
  const source = {
    database,
    sha256,
    assets,
    keys: await pageKeys(keys.certificates, database.Packsign.Issued),
    armored: Buffer.from(keys.armored).toString('utf8').trim(),
  };
  const html = render(template, source, stampOf(shown, template));
  const path = join(directory, PAGE_NAME);
  const bytes = Buffer.from(html, 'utf8');
  const written = readPage(directory) !== html;
  writeTree(join(directory, assets), template.assets);
  if (written) writeDurably(path, bytes);
  removeOldAssets(directory, assets);
  return { page: path, assets: join(directory, assets), sha256: nameOf(bytes), written };
}

function render(template: Template, source: Parameters<typeof renderPage>[1], stamp: Stamp): string {
  try {
    return renderPage(template.html, source, { stamp, hash: hashOf });
  } catch (error) {
    throw new PacksignError('TEMPLATE_INVALID', `the template ${TEMPLATE_NAME} fails: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

async function pageKeys(certificates: readonly Certificate[], at: Date): Promise<readonly PageKey[]> {
  const { expiryOf } = await import('../pgp/certificates.js');
  return certificates.map((certificate) => {
    const { fingerprint, userIds, created } = certificate;
    return { fingerprint, userIds, created, expires: expiryOf(certificate, at) };
  });
}

function requireOwnPage(directory: string): void {
  const standing = readPage(directory);
  if (standing === null || readStamp(standing, hashOf) !== null) return;
  throw new PacksignError(
    'PAGE_EDITED',
    `${join(directory, PAGE_NAME)} was edited by hand, or is none of packsign's: left alone`,
    {
      hint: 'move it away, or write over it: packsign page --force',
    },
  );
}

function readPage(directory: string): string | null {
  return readBounded(join(directory, PAGE_NAME), DATABASE_LIMIT_BYTES)?.toString('utf8') ?? null;
}

function stampOf({ sha256, keys }: Shown, template: Template): Stamp {
  return { database: sha256, keys: nameOf(keys.armored), template: template.sha256, own: template.own };
}

function isMadeFrom(a: Stamp, b: Stamp): boolean {
  return a.database === b.database && a.keys === b.keys && a.template === b.template;
}

function hasAssets(directory: string, template: Template): boolean {
  const standing = new Set(listFolder(join(directory, assetsFolder(template))));
  return Array.from(template.assets.keys()).every((path) => standing.has(path.split('/')[0] ?? ''));
}

// Of earlier versions. What else lies in the folder is not packsign's.
function removeOldAssets(directory: string, current: string): void {
  for (const name of listFolder(join(directory, ASSETS_FOLDER))) {
    const folder = `${ASSETS_FOLDER}/${name}`;
    if (/^packsign-[0-9a-f]{12}$/.test(name) && folder !== current) removeTree(join(directory, folder));
  }
}

function hashOf(text: string): string {
  return nameOf(Buffer.from(text, 'utf8'));
}
