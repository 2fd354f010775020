import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listFolder } from '../disk/files.js';
import { withLock } from '../disk/lock.js';
import type { LockPlace } from '../disk/lock.js';
import { noFolder, obstacleTo } from '../disk/obstacle.js';
import { readOwn } from '../disk/own-file.js';
import { PacksignError, reasonOf } from '../errors.js';
import { DATABASE_LIMIT_BYTES } from '../model/database.js';
import type { Coverage } from '../model/coverage.js';
import type { Database } from '../model/database.js';
import type { Warning } from '../model/finding.js';
import type { Settings } from '../model/settings.js';
import { checksumsText } from '../model/checksums.js';
import { ASSETS_FOLDER, CHECKSUMS_NAME, DATABASE_NAME, KEYS_NAME, PAGE_NAME } from '../model/layout.js';
import type { Certificate } from '../pgp/certificates.js';
import { coverageIn } from '../places/coverage.js';
import { findChecksums, ownChecksums } from '../places/own-checksums.js';
import { globsOf } from '../places/scan.js';
import type { Published } from '../published/published.js';
import { readPublished } from '../published/read.js';
import { incompleteWarning, makeWhole, notWritten } from '../published/whole.js';
import { writePublished } from '../published/write.js';
import type { Run } from '../run.js';
import { sha256Of } from '../verify/verify-database.js';
import { hasTree, readTree, removeTree, writeTree } from './assets.js';
import type { Tree } from './assets.js';
import { PAGE_AS_IT_WAS } from './mended.js';
import type { MendedPage } from './mended.js';
import { hashOf, readStamp, renderPage } from './render.js';
import type { Stamp } from './render.js';
import type { PageKey } from './view.js';

export interface PageOptions {
  /** A folder with the user's own template; null takes packsign's. */
  readonly template: string | null;
  /** Overwrites a page that was edited by hand. */
  readonly force: boolean;
  /** They say what is left out. */
  readonly settings: Settings;
  readonly run: LockPlace & Pick<Run, 'now' | 'notesFolder' | 'objects'>;
}

export interface PageResult {
  /** The page's path. */
  readonly page: string;
  /** The folder of its scripts and styles. */
  readonly assets: string;
  /** SHA-256 of the page. */
  readonly sha256: string;
  /** False if the page already had these bytes. */
  readonly written: boolean;
  readonly coverage: Coverage;
}

/**
 * Writes the trust page of the database in a directory (cli contract, `page`). Its bytes depend only on the database, the
 * keys and the template. Throws NOT_PUBLISHED, PREVIOUS_INVALID, PAGE_EDITED, TEMPLATE_INVALID, and the codes of reading
 * and writing.
 */
export async function page(directory: string, options: PageOptions): Promise<PageResult> {
  return await withLock(options.run, async () => {
    const { published } = await makeWhole(readPublished(directory, options.run.stateFolder), options.run);
    const shown = await shownOf(published);
    if (shown === null) {
      const message = `there is no ${join(directory, DATABASE_NAME)} to make a page for`;
      throw new PacksignError('NOT_PUBLISHED', message, {
        hint: 'publish a database first: packsign build DIRECTORY --key FILE',
      });
    }
    const template = readTemplate(options.template);
    const html = await makePage(shown, template);
    if (!options.force) requireOwnPage(directory, html);
    const coverage = coverageIn(directory, shown.database, {
      globs: globsOf(options.settings),
      objects: options.run.objects,
    });
    return { ...putPage(directory, html, template), coverage };
  });
}

/** The files that a page shows. */
interface Shown {
  readonly database: Database;
  readonly sha256: string;
  readonly armored: Uint8Array;
  readonly certificates: readonly Certificate[];
  /** SHA-256 of the `SHA256SUMS` that is there; null if packsign wrote none, or it lacks its signature. */
  readonly sums: string | null;
}

function sumsIn(directory: string): string | null {
  const found = findChecksums(directory);
  const { sums, signature } = found;
  if (!Buffer.isBuffer(sums) || !Buffer.isBuffer(signature)) return null;
  return ownChecksums(directory, found).includes(CHECKSUMS_NAME) ? sha256Of(sums) : null;
}

/** Null if nothing is published. Throws PREVIOUS_INVALID. */
async function shownOf(published: Published): Promise<Shown | null> {
  const signed = await published.verified();
  if (signed === null) return null;
  return {
    database: signed.database,
    sha256: signed.content.sha256(),
    armored: published.bytes(KEYS_NAME) ?? new Uint8Array(),
    certificates: await published.certificates(),
    sums: sumsIn(published.directory),
  };
}

/**
 * Brings the page up to date with packsign's own template: after a publication, after a run that ended between publication
 * and page, and if somebody removed or damaged the page. The database is published already, so an error is only a warning.
 * If the file is the beginning of the right page and newer than `stillSince`, an editor may be writing it: we wait.
 */
export async function mendPage(
  published: Published,
  { stillSince }: { readonly stillSince: Date | null },
): Promise<MendedPage> {
  try {
    const template = readTemplate(null);
    // The usual case: this reads neither the database nor the certificates.
    if (publishedCondition(published, template) === 'right') return PAGE_AS_IT_WAS;
    const shown = await shownOf(published);
    return shown === null ? PAGE_AS_IT_WAS : await mend(published.directory, shown, { template, stillSince });
  } catch (error) {
    return { ...PAGE_AS_IT_WAS, warnings: [notWrittenWarning(error)] };
  }
}

function notWrittenWarning(error: unknown): Warning {
  if (!(error instanceof PacksignError)) throw error;
  return pageWarning('PAGE_NOT_WRITTEN', notWritten(error));
}

/** Warnings about a missing or outdated page, for commands that write nothing. */
export async function pageWarnings(published: Published): Promise<readonly Warning[]> {
  try {
    const template = readTemplate(null);
    const condition = publishedCondition(published, template);
    if (condition === 'right') return [];
    if (condition === 'own') return leftAlone(MADE_WITH_TEMPLATE).warnings;
    if (condition === 'edited') {
      // What is wrong with the database is said elsewhere.
      const shown = await shownOf(published).catch(() => null);
      const isCut = shown !== null && isCutShort(published.directory, await makePage(shown, template));
      if (!isCut) return leftAlone(EDITED).warnings;
    }
    const folders = pageFiles().map((path) => dirname(join(published.directory, path)));
    const obstacle = folders.map(obstacleTo).find((found) => found !== null) ?? null;
    if (obstacle !== null) throw noFolder(obstacle, 'FILE_UNREADABLE');
    return [incompleteWarning(PAGE_NAME)];
  } catch (error) {
    return [notWrittenWarning(error)];
  }
}

/** Right as well if there is nothing to show. */
function publishedCondition(published: Published, template: Template): Condition {
  const sha256 = published.sha256();
  const armored = published.bytes(KEYS_NAME);
  if (sha256 === null || armored === null) return 'right';
  const sums = sumsIn(published.directory);
  return conditionOf(published.directory, stampOf({ sha256, armored, sums }, template), template);
}

/** The files of a page, relative to the directory. */
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
    if (!isCutShort(directory, html)) return leftAlone(EDITED);
    const written = statSync(join(directory, PAGE_NAME), { throwIfNoEntry: false })?.mtime ?? new Date(0);
    if (stillSince !== null && written > stillSince) return { ...PAGE_AS_IT_WAS, again: true };
  }
  putPage(directory, html, template);
  return { ...PAGE_AS_IT_WAS, written: true };
}

const EDITED = 'was edited by hand and left alone: run packsign page --force, or set "Page" to false';
const MADE_WITH_TEMPLATE = 'was made with --template and left alone: run packsign page --template DIR';

function leftAlone(message: string): MendedPage {
  return { ...PAGE_AS_IT_WAS, warnings: [pageWarning('PAGE_EDITED', message)] };
}

/** The page in a directory, compared with the right one. */
type Condition =
  | 'right'
  /** Missing, incomplete, or made by packsign from other files. */
  | 'due'
  /** Made from other files with the user's own template. */
  | 'own'
  /** Edited by somebody, or not made by packsign. */
  | 'edited';

function conditionOf(directory: string, wanted: Stamp, template: Template): Condition {
  const present = readPage(directory);
  if (present === null) return 'due';
  const stamp = readStamp(present);
  if (stamp === null) return 'edited';
  const isCurrent = (['database', 'keys', 'sums'] as const).every((name) => stamp[name] === wanted[name]);
  if (stamp.own) return isCurrent ? 'right' : 'own';
  const isWhole = () => hasTree(join(directory, assetsFolder(template)), template.assets);
  return isCurrent && stamp.template === wanted.template && isWhole() ? 'right' : 'due';
}

/** Whether the page is a beginning of the right one: then nobody edited it, but a copy broke off. */
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

/** Packsign's own template, with files of a folder in place of those of the same name. */
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
  const all = [[TEMPLATE_NAME, html] as const, ...assets];
  const sha256 = hashOf(all.map(([path, bytes]) => `${sha256Of(bytes)} ${path}\n`).join(''));
  return { html: Buffer.from(html).toString('utf8'), assets, sha256, own: folder !== null };
}

/** Each version of scripts and styles has a folder of its own, so that caches may keep them for ever. */
function assetsFolder({ sha256 }: Template): string {
  return `${ASSETS_FOLDER}/packsign-${sha256.slice(0, 12)}`;
}

/** Throws TEMPLATE_INVALID. */
async function makePage(shown: Shown, template: Template): Promise<string> {
  const { database, sha256, armored, certificates, sums } = shown;
  const source = {
    database,
    sha256,
    hasSums: sums === hashOf(checksumsText(database)),
    assets: assetsFolder(template),
    keys: await pageKeys(certificates, database.Packsign.Issued),
    armored: Buffer.from(armored).toString('utf8').trim(),
  };
  try {
    return renderPage(template.html, source, stampOf(shown, template));
  } catch (cause) {
    const message = `the template ${TEMPLATE_NAME} fails: ${reasonOf(cause)}`;
    throw new PacksignError('TEMPLATE_INVALID', message, { cause });
  }
}

function putPage(directory: string, html: string, template: Template): Omit<PageResult, 'coverage'> {
  const assets = assetsFolder(template);
  const path = join(directory, PAGE_NAME);
  const bytes = Buffer.from(html, 'utf8');
  const written = readPage(directory) !== html;
  writeTree(directory, assets, template.assets);
  if (written) writePublished(directory, PAGE_NAME, bytes);
  removeOldAssets(directory, assets);
  return { page: path, assets: join(directory, assets), sha256: sha256Of(bytes), written };
}

async function pageKeys(certificates: readonly Certificate[], at: Date): Promise<readonly PageKey[]> {
  const { expiryOf } = await import('../pgp/certificates.js');
  return certificates.map((certificate) => {
    const { fingerprint, userIds, created } = certificate;
    return { fingerprint, userIds, created, expires: expiryOf(certificate, at) };
  });
}

function requireOwnPage(directory: string, html: string): void {
  const present = readPage(directory);
  if (present === null || readStamp(present) !== null || isCutShort(directory, html)) return;
  const message = `${join(directory, PAGE_NAME)} was edited by hand, or not made by packsign: left alone`;
  throw new PacksignError('PAGE_EDITED', message, {
    hint: 'move it away, or overwrite it: packsign page DIRECTORY --force',
  });
}

function readPage(directory: string): string | null {
  return readOwn(join(directory, PAGE_NAME), DATABASE_LIMIT_BYTES)?.toString('utf8') ?? null;
}

function stampOf(shown: Pick<Shown, 'sha256' | 'armored' | 'sums'>, template: Template): Stamp {
  const { sha256, armored, sums } = shown;
  return { database: sha256, keys: sha256Of(armored), sums, template: template.sha256, own: template.own };
}

// Removes earlier versions. Other files in the folder are not packsign's.
function removeOldAssets(directory: string, current: string): void {
  for (const name of listFolder(join(directory, ASSETS_FOLDER))) {
    const folder = `${ASSETS_FOLDER}/${name}`;
    if (/^packsign-[0-9a-f]{12}$/.test(name) && folder !== current) removeTree(join(directory, folder));
  }
}
