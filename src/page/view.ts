import { namedAddress } from '../model/address.js';
import { formatBytes } from '../model/bytes.js';
import { thresholdOf } from '../model/database.js';
import type { Database, Trust } from '../model/database.js';
import { downloadUrl } from '../model/entry.js';
import type { FileEntry } from '../model/file-entry.js';
import { KEYS_NAME } from '../model/layout.js';
import { groupedBy, inPieces } from '../model/lists.js';
import { compareText, wordsOf } from '../model/package.js';
import type { Package } from '../model/package.js';
import { cleanText, oneLine } from '../model/text.js';
import { formatInstant } from '../model/time.js';
import { versionOrder } from '../model/version.js';
import { besideUrl, checkCommand, commandsFor, sumsCommand } from './commands.js';
import type { CommandLine } from './commands.js';
import { byPlatform } from './platforms.js';
import { qrCode } from './qr.js';
import { latestChanges } from './recent-changes.js';

/** Everything that decides the bytes of a trust page, besides the template. */
export interface PageSource {
  readonly database: Database;
  readonly sha256: string;
  /** Whether its `SHA256SUMS` is published as well. */
  readonly hasSums: boolean;
  readonly keys: readonly PageKey[];
  /** `keys.asc`. */
  readonly armored: string;
  /** Folder of the scripts and styles, relative to the page, without a final slash. */
  readonly assets: string;
}

export interface PageKey {
  /** 40 upper-case hex digits. */
  readonly fingerprint: string;
  /** Foreign text. */
  readonly userIds: readonly string[];
  readonly created: Date;
  readonly expires: Date | null;
}

/** One file, or a package without one. */
export interface Row {
  /** Empty for a package without a file. */
  readonly path: string;
  /** Empty, as the version is, where the file does not tell. */
  readonly name: string;
  readonly version: string;
  /** Empty for a file that names no system and no architecture. */
  readonly platform: string;
  readonly summary: string;
  /** Address of the file, relative to the page; null if there is none, or it was yanked. */
  readonly href: string | null;
  readonly size: string;
  readonly day: string;
  readonly sha256: string | null;
  readonly yanked: string | null;
}

const GROUP_ROWS = 100;
/** A page is for reading: the database has longer texts in full. */
const TITLE_LENGTH = 80;
const DESCRIPTION_LENGTH = 2000;
const SUMMARY_LENGTH = 200;
const REASON_LENGTH = 300;
/** Browsers do not print more rows than this. */
const LONG = 200;

/** What a template shows. All texts are plain: the template escapes them. Addresses are http, https or mailto. */
export function pageView(source: PageSource) {
  const { database, sha256, armored, assets } = source;
  const { Maintainer, Packsign } = database;
  const url = ownAddress(database);
  const rows = rowsOf(database);
  const shown = signersOf(source);
  const threshold = thresholdOf(database);
  const fingerprints = shown.map(({ fingerprint }) => fingerprint);
  return {
    assets,
    ...naming(database),
    maintainer: shortName(Maintainer),
    notify: Packsign.Notify === undefined ? null : safeAddress(Packsign.Notify),
    sha256,
    issued: momentOf(Packsign.Issued),
    expires: momentOrNull(Packsign.Expires),
    /** The database's own address; null if it gives none. */
    url,
    mirrors: (Packsign.Mirrors ?? []).filter((mirror) => safeAddress(mirror) !== null),
    keys: shown.map((key, index) => keyView(key, `key-${index + 1}`)),
    fingerprints: fingerprints.join(' '),
    threshold,
    armored,
    qr: qrCode(qrText(url, fingerprints)),
    commands: commandsFor({ url, fingerprints, threshold, userId: onlyUserId(shown) }),
    /** How to compare downloads, with the first of the list as an example; none if there is none. */
    checks: checksOf(rows, source.hasSums ? { url, fingerprints, threshold } : null),
    trusts: (Packsign.Trusts ?? []).map(trustView),
    changes: latestChanges(database),
    packages: database.Packages.length.toLocaleString('en-US'),
    files: database.Files.size.toLocaleString('en-US'),
    bytes: formatBytes(Array.from(database.Files.values()).reduce((sum, { Size }) => sum + Size, 0)),
    platforms: byPlatform(rows).map((platform) => ({
      ...platform,
      files: counted(platform.rows.length),
      /** Browsers lay out the groups one by one as they come into view. */
      groups: inPieces(platform.rows, GROUP_ROWS),
    })),
    fullGroup: GROUP_ROWS,
    isLong: rows.length > LONG,
  };
}

/** The keys that sign: those that the database names, if `keys.asc` has them; else all keys. */
function signersOf({ database, keys }: PageSource): readonly PageKey[] {
  const named = new Set(database.Packsign.Signers?.Fingerprints ?? []);
  const signers = keys.filter(({ fingerprint }) => named.has(fingerprint));
  return signers.length === 0 ? keys : signers;
}

/** The title, and the description unless it is the title. */
function naming(database: Database) {
  const { Description, Maintainer } = database;
  const url = ownAddress(database);
  const text = Description.trim();
  if (text !== '' && text.length <= TITLE_LENGTH && !text.includes('\n'))
    return { title: text, description: null };
  const whose = Maintainer === undefined ? 'Signed packages' : `Packages of ${Maintainer}`;
  const title = url === null ? whose : placeOf(url);
  const description = text === '' ? null : shorten(text, DESCRIPTION_LENGTH);
  return { title: shorten(title, TITLE_LENGTH), description };
}

function shortName(maintainer: string | undefined): string | null {
  return maintainer === undefined ? null : shorten(maintainer, REASON_LENGTH);
}

/** The address of the file, whose folder a database may name: what people paste must not fetch the page. */
function ownAddress({ Packsign }: Database): string | null {
  return Packsign.Database === undefined ? null : namedAddress(Packsign.Database);
}

/** `example.org/dist` of `https://example.org/dist/packages.plist`. */
function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname.replace(/\/[^/]*$/, '')}`;
}

// Scanning the code opens the page, which compares the fingerprints of the code with its own.
function qrText(url: string | null, fingerprints: readonly string[]): string {
  const list = fingerprints.join('+');
  if (url !== null) return `${besideUrl(url, '')}#${list}`;
  return fingerprints.length === 1 ? `OPENPGP4FPR:${list}` : list;
}

function keyView({ fingerprint, userIds, created, expires }: PageKey, id: string) {
  return {
    ...identified(fingerprint, id),
    userIds: userIds.map((userId) => shorten(cleanText(userId), REASON_LENGTH)),
    created: momentOf(created),
    expires: momentOrNull(expires),
  };
}

/** A fingerprint with an id for the page, and in groups of four, in two halves. */
function identified(fingerprint: string, id: string) {
  const groups = fingerprint.match(/.{1,4}/g) ?? [];
  return { id, fingerprint, halves: [groups.slice(0, 5), groups.slice(5)] };
}

/** What gpg certainly prints: of several user ids or keys, it chooses. */
function onlyUserId(keys: readonly PageKey[]): string | null {
  const [userId = '', ...others] = keys.flatMap(({ userIds }) => userIds);
  // Other characters depend on the language of the terminal.
  return others.length === 0 && /^[ -[\]-~]{1,80}$/.test(userId) ? userId : null;
}

function checksOf(
  rows: readonly Row[],
  sums: Parameters<typeof sumsCommand>[1] | null,
): readonly CommandLine[] {
  const row = rows.find(({ sha256, yanked }) => sha256 !== null && yanked === null);
  if (row === undefined) return [];
  const { path, sha256 } = row;
  return [checkCommand(path, sha256 ?? ''), ...(sums === null ? [] : [sumsCommand(path, sums)])];
}

function trustView({ URL: address, Fingerprints, Threshold = 1, Maintainer }: Trust, index: number) {
  const url = safeAddress(namedAddress(address) ?? '') ?? '';
  const id = `trust-${index + 1}`;
  const [packsign] = commandsFor({ url, fingerprints: Fingerprints, threshold: Threshold, userId: null });
  return {
    id,
    url,
    keysUrl: besideUrl(url, KEYS_NAME),
    maintainer: shortName(Maintainer),
    threshold: Threshold,
    keys: Fingerprints.map((fingerprint, at) => identified(fingerprint, `${id}-${at + 1}`)),
    command: packsign?.lines[0] ?? '',
  };
}

function rowsOf(database: Database): readonly Row[] {
  const summaries = new Map(database.Packages.map((entry) => [wordsOf(entry), entry.Description]));
  const entries = Array.from(database.Files, ([path, entry]) => {
    return { path, name: entry.Name ?? path, row: fileRow(path, entry, summaries.get(wordsOf(entry))) };
  });
  const byName = groupedBy(entries, ({ name }) => name);
  const names = Array.from(byName.keys(), (name) => ({ name, folded: name.toLowerCase() }))
    .sort((a, b) => compareText(a.folded, b.folded) || compareText(a.name, b.name))
    .map(({ name }) => name);
  const listed = new Set(Array.from(database.Files.values(), wordsOf));
  const pseudo = database.Packages.filter(
    (entry) => entry['Download-URL'] === undefined && !listed.has(wordsOf(entry)),
  );
  return [...names.flatMap((name) => newestFirst(byName.get(name) ?? [])), ...pseudo.map(pseudoRow)];
}

interface Entry {
  readonly path: string;
  readonly row: Row;
}

function newestFirst(entries: readonly Entry[]): readonly Row[] {
  if (entries.length === 1) return entries.map(({ row }) => row);
  const isNpm = entries.every(({ path }) => path.endsWith('.tgz'));
  const versions = entries.map(({ row }) => row.version);
  const compare = versionOrder(versions, { isNpm });
  return [...entries]
    .sort((a, b) => compare(b.row.version, a.row.version) || compareText(a.path, b.path))
    .map(({ row }) => row);
}

function fileRow(path: string, entry: FileEntry, description: string | undefined): Row {
  const { Name = '', Version = '', Platform = '', Size, SHA256, Since, Yanked } = entry;
  const summary = description === undefined || description === `${Name} ${Version}` ? '' : description;
  const isYanked = Yanked !== undefined;
  return {
    path,
    name: Name,
    version: Version,
    platform: Platform,
    summary: oneLine(summary, SUMMARY_LENGTH),
    href: isYanked ? null : downloadUrl(path, {}),
    size: formatBytes(Size),
    day: formatInstant(Since).slice(0, 10),
    sha256: SHA256,
    yanked: isYanked ? oneLine(Yanked, REASON_LENGTH) : null,
  };
}

function pseudoRow({ Name, Version, Description }: Package): Row {
  return {
    path: '',
    name: Name,
    version: Version ?? '',
    platform: '',
    summary: oneLine(Description === Name ? '' : Description, SUMMARY_LENGTH),
    href: null,
    size: '',
    day: '',
    sha256: null,
    yanked: null,
  };
}

function counted(files: number): string {
  return files === 1 ? '1 file' : `${files.toLocaleString('en-US')} files`;
}

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);

/** A time for scripts, and its day for people: `22 November 2026`. */
function momentOf(date: Date) {
  const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()] ?? ''} ${date.getUTCFullYear()}`;
  return { iso: formatInstant(date), day };
}

function momentOrNull(date: Date | null = null) {
  return date === null ? null : momentOf(date);
}

/** An address that is safe in a link, or null: a `javascript:` one would run (threat T18). */
function safeAddress(address: string): string | null {
  return /^(?:https?:\/\/|mailto:)[!-~]+$/.test(address) ? address : null;
}

function shorten(text: string, length: number): string {
  const points = Array.from(text);
  return points.length <= length ? text : `${points.slice(0, length).join('').trimEnd()} …`;
}
