import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listFolder, readBounded, writeDurably } from '../disk/files.js';
import { takeLock } from '../disk/lock.js';
import { hasTree, readTree, removeTree, writeTree } from './assets.js';
import type { Tree } from './assets.js';
import { PacksignError, reasonOf } from '../errors.js';
import { DATABASE_LIMIT_BYTES } from '../model/database.js';
import type { Database } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import { ASSETS_FOLDER, DATABASE_NAME, KEYS_NAME, PAGE_NAME } from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import { readStamp, renderPage } from './render.js';
import type { PageKey, Stamp } from './render.js';
import { sha256Of } from '../verify/verify-database.js';
import type { Published } from '../published/published.js';
import { PAGE_AS_IT_WAS } from './mended.js';
import type { MendedPage } from './mended.js';
import { readPublished } from '../published/read.js';
import { incompleteWarning, makeWhole } from '../published/whole.js';
import type { Run } from '../run.js';

export interface PageOptions {
  /** A folder with a template of the user's own; null takes packsign's. */
  readonly template: string | null;
  /** Writes over a page that was edited by hand. */
  readonly force: boolean;
  readonly run: Pick<Run, 'stateFolder' | 'now'>;
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
  const unlock = takeLock(options.run.stateFolder);
  try {
    const { published } = await makeWhole(readPublished(directory, options.run.stateFolder), options.run);
    const shown = await shownOf(published);
    if (shown === null) {
      throw new PacksignError(
        'NOT_PUBLISHED',
        `there is no ${join(directory, DATABASE_NAME)} to make a page of`,
        { hint: 'publish a database first: packsign build DIRECTORY --key FILE' },
      );
    }
    const template = readTemplate(options.template);
    const html = await makePage(shown, template);
    if (!options.force) requireOwnPage(directory, html);
    return putPage(directory, html, template);
  } finally {
    unlock();
  }
}

/** What a page shows. */
interface Shown {
  readonly database: Database;
  readonly sha256: string;
  readonly armored: Uint8Array;
  readonly certificates: readonly Certificate[];
}

/** Null where nothing is published. Throws PREVIOUS_INVALID. */
async function shownOf(published: Published): Promise<Shown | null> {
  const signed = await published.verified();
  if (signed === null) return null;
  return {
    database: signed.database,
    sha256: signed.content.sha256(),
    armored: published.bytes(KEYS_NAME) ?? new Uint8Array(),
    certificates: await published.certificates(),
  };
}

/**
 * Brings the page up to date, from packsign's own template: after a publication, after a run that ended between
 * publication and page, and where others took away or spoiled it. The database is published whatever comes of it: what
 * keeps the page as it was is a warning. A beginning of a page that was written after `stillSince` may be an editor's, and
 * is left for now.
 */
export async function mendPage(
  published: Published,
  { stillSince }: { readonly stillSince: Date | null },
): Promise<MendedPage> {
  try {
    const template = readTemplate(null);
    if (isPageRight(published, template)) return PAGE_AS_IT_WAS;
    const shown = await shownOf(published);
    return shown === null ? PAGE_AS_IT_WAS : await mend(published.directory, shown, { template, stillSince });
  } catch (error) {
    if (!(error instanceof PacksignError)) throw error;
    const warning = pageWarning('PAGE_NOT_WRITTEN', `was not written: ${error.message}`);
    return { ...PAGE_AS_IT_WAS, warnings: [warning] };
  }
}

/** What a command that only looks says of a page that is missing or out of date. */
export function pageWarnings(published: Published): readonly Warning[] {
  const template = readTemplate(null);
  const stamp = publishedStamp(published, template);
  const condition = stamp === null ? 'right' : conditionOf(published.directory, stamp, template);
  if (condition === 'own') return leftAlone(MADE_WITH_TEMPLATE).warnings;
  return condition === 'due' ? [incompleteWarning(PAGE_NAME)] : [];
}

/** Reads neither the database nor what the keys say. */
function isPageRight(published: Published, template: Template): boolean {
  const stamp = publishedStamp(published, template);
  return stamp === null || conditionOf(published.directory, stamp, template) === 'right';
}

/** The stamp of the page that belongs there; null where there is nothing to show. */
function publishedStamp(published: Published, template: Template): Stamp | null {
  const sha256 = published.sha256();
  const armored = published.bytes(KEYS_NAME);
  return sha256 === null || armored === null ? null : stampOf({ sha256, armored }, template);
}

/** The files that a page consists of, relative to the directory: who keeps it looks at them. */
export function pageFiles(): readonly string[] {
  const template = readTemplate(null);
  const folder = assetsFolder(template);
  return [PAGE_NAME, ...Array.from(template.assets.keys(), (path) => `${folder}/${path}`)];
}

async function mend(
  directory: string,
  shown: Shown,
  { template, stillSince }: { template: Template; stillSince: Date | null },
): Promise<MendedPage> {
  const condition = conditionOf(directory, stampOf(shown, template), template);
  if (condition === 'right') return PAGE_AS_IT_WAS;
  if (condition === 'own') return leftAlone(MADE_WITH_TEMPLATE);
  const html = await makePage(shown, template);
  if (condition === 'edited') {
    if (!isCutShort(directory, html)) return leftAlone('was edited by hand and left alone');
    if (stillSince !== null && writtenAt(directory) > stillSince) return { ...PAGE_AS_IT_WAS, again: true };
  }
  putPage(directory, html, template);
  return { ...PAGE_AS_IT_WAS, written: true };
}

const MADE_WITH_TEMPLATE = 'was made with --template and left alone: run packsign page --template DIR';

function leftAlone(message: string): MendedPage {
  return { ...PAGE_AS_IT_WAS, warnings: [pageWarning('PAGE_EDITED', message)] };
}

function writtenAt(directory: string): Date {
  return statSync(join(directory, PAGE_NAME), { throwIfNoEntry: false })?.mtime ?? new Date(0);
}

/** How the page in a directory stands to the one that belongs there. */
type Condition =
  | 'right'
  /** There is none, or one that packsign made of something else, or a part of it is missing. */
  | 'due'
  /** Made of something else with a template of the user's own. */
  | 'own'
  /** Edited, or none of packsign's. */
  | 'edited';

function conditionOf(directory: string, wanted: Stamp, template: Template): Condition {
  const standing = readPage(directory);
  if (standing === null) return 'due';
  const stamp = readStamp(standing, hashOf);
  if (stamp === null) return 'edited';
  const isCurrent = stamp.database === wanted.database && stamp.keys === wanted.keys;
  if (stamp.own) return isCurrent ? 'right' : 'own';
  return isCurrent && stamp.template === wanted.template && hasAssets(directory, template) ? 'right' : 'due';
}

/** Whether what stands there is the beginning of a page: nobody's edit, but a copy that broke off. */
function isCutShort(directory: string, html: string): boolean {
  return html.startsWith(readPage(directory) ?? '');
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
    ([path, bytes]) => `${sha256Of(bytes)} ${path}\n`,
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

async function makePage(shown: Shown, template: Template): Promise<string> {
  const { database, sha256, armored, certificates } = shown;
  const source = {
    database,
    sha256,
    assets: assetsFolder(template),
    keys: await pageKeys(certificates, database.Packsign.Issued),
    armored: Buffer.from(armored).toString('utf8').trim(),
  };
  return render(template, source, stampOf(shown, template));
}

function putPage(directory: string, html: string, template: Template): PageResult {
  const assets = assetsFolder(template);
  const path = join(directory, PAGE_NAME);
  const bytes = Buffer.from(html, 'utf8');
  const written = readPage(directory) !== html;
  writeTree(join(directory, assets), template.assets);
  if (written) writeDurably(path, bytes);
  removeOldAssets(directory, assets);
  return { page: path, assets: join(directory, assets), sha256: sha256Of(bytes), written };
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

function requireOwnPage(directory: string, html: string): void {
  const standing = readPage(directory);
  if (standing === null || readStamp(standing, hashOf) !== null || isCutShort(directory, html)) return;
  throw new PacksignError(
    'PAGE_EDITED',
    `${join(directory, PAGE_NAME)} was edited by hand, or is none of packsign's: left alone`,
    {
      hint: 'move it away, or write over it: packsign page DIRECTORY --force',
    },
  );
}

function readPage(directory: string): string | null {
  return readBounded(join(directory, PAGE_NAME), DATABASE_LIMIT_BYTES)?.toString('utf8') ?? null;
}

function stampOf({ sha256, armored }: Pick<Shown, 'sha256' | 'armored'>, template: Template): Stamp {
  return { database: sha256, keys: sha256Of(armored), template: template.sha256, own: template.own };
}

function hasAssets(directory: string, template: Template): boolean {
  return hasTree(join(directory, assetsFolder(template)), template.assets);
}

// Of earlier versions. What else lies in the folder is not packsign's.
function removeOldAssets(directory: string, current: string): void {
  for (const name of listFolder(join(directory, ASSETS_FOLDER))) {
    const folder = `${ASSETS_FOLDER}/${name}`;
    if (/^packsign-[0-9a-f]{12}$/.test(name) && folder !== current) removeTree(join(directory, folder));
  }
}

function hashOf(text: string): string {
  return sha256Of(Buffer.from(text, 'utf8'));
}
