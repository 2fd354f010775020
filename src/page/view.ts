import type { FileEntry } from '../model/file-entry.js';
import type { Database, Trust } from '../model/database.js';
import { thresholdOf } from '../model/database.js';
import { downloadUrl } from '../model/entry.js';
import { KEYS_NAME } from '../model/layout.js';
import { compareText } from '../model/package.js';
import type { Package } from '../model/package.js';
import { cleanText, oneLine } from '../model/text.js';
import { formatInstant } from '../model/time.js';
import { versionOrder } from '../model/version.js';
import { latestChanges } from './recent-changes.js';
import type { RecentChanges } from './recent-changes.js';
import { commandsFor } from './commands.js';
import type { CommandLine } from './commands.js';
import { qrCode } from './qr.js';
import type { QrCode } from './qr.js';

/** What a trust page is made of. The same, and the page has the same bytes. */
export interface PageSource {
  readonly database: Database;
  readonly sha256: string;
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

/** Everything that a template shows. Text is plain: the template escapes it. Addresses are http, https or mailto. */
export interface PageView {
  readonly assets: string;
  readonly title: string;
  /** Null where it is the title already. */
  readonly description: string | null;
  readonly maintainer: string | null;
  readonly notify: string | null;
  readonly sha256: string;
  readonly issued: Moment;
  readonly expires: Moment | null;
  /** The database's own address; null where it gives none. */
  readonly url: string | null;
  readonly mirrors: readonly string[];
  readonly keys: readonly KeyView[];
  readonly fingerprints: string;
  readonly threshold: number;
  readonly armored: string;
  readonly qr: QrCode | null;
  readonly commands: readonly CommandLine[];
  readonly trusts: readonly TrustView[];
  readonly changes: RecentChanges;
  readonly packages: string;
  readonly files: string;
  readonly bytes: string;
  /** Rows of the table in groups, which browsers lay out one by one as they come into view. */
  readonly groups: readonly (readonly Row[])[];
  readonly isLong: boolean;
}

export interface Moment {
  readonly iso: string;
  /** For people: `22 November 2026`. */
  readonly day: string;
}

export interface KeyView {
  readonly id: string;
  readonly fingerprint: string;
  /** Groups of four, in two halves. */
  readonly halves: readonly [readonly string[], readonly string[]];
  readonly userIds: readonly string[];
  readonly created: Moment;
  readonly expires: Moment | null;
}

export interface TrustView {
  readonly id: string;
  readonly url: string;
  readonly keysUrl: string;
  readonly maintainer: string | null;
  readonly threshold: number;
  readonly keys: readonly Pick<KeyView, 'id' | 'fingerprint' | 'halves'>[];
  readonly command: string;
}

/** One file, or a package without one. */
export interface Row {
  readonly name: string;
  readonly version: string;
  readonly flavor: string;
  readonly summary: string;
  /** Where the file is, relative to the page; null without one, and for one that was yanked. */
  readonly href: string | null;
  /** The archive's path where `href` does not say it. */
  readonly path: string | null;
  readonly size: string;
  readonly day: string;
  readonly sha256: string | null;
  readonly yanked: string | null;
}

const GROUP_ROWS = 100;
/** A page is for reading: what is longer stands in the database in full. */
const TITLE_LENGTH = 80;
const DESCRIPTION_LENGTH = 2000;
const SUMMARY_LENGTH = 200;
const REASON_LENGTH = 300;
/** More rows than this are not printed. */
const LONG = 200;

/** What a trust page says of a database. */
export function pageView(source: PageSource): PageView {
  const { database, sha256, keys, armored, assets } = source;
  const { Maintainer, Packsign } = database;
  const url = Packsign.Database ?? null;
  const rows = rowsOf(database);
  const shown = signersOf(source);
  const threshold = thresholdOf(database);
  const fingerprints = shown.map(({ fingerprint }) => fingerprint);
  return {
    assets,
    ...naming(database),
    maintainer: Maintainer === undefined ? null : shorten(Maintainer, REASON_LENGTH),
    notify: Packsign.Notify === undefined ? null : safeAddress(Packsign.Notify),
    sha256,
    issued: momentOf(Packsign.Issued),
    expires: Packsign.Expires === undefined ? null : momentOf(Packsign.Expires),
    url,
    mirrors: (Packsign.Mirrors ?? []).filter((mirror) => safeAddress(mirror) !== null),
    keys: shown.map((key, index) => keyView(key, `key-${index + 1}`)),
    fingerprints: fingerprints.join(' '),
    threshold,
    armored,
    qr: qrCode(qrText(url, fingerprints)),
    commands: commandsFor({ url, fingerprints, threshold, userId: firstUserId(keys) }),
    trusts: (Packsign.Trusts ?? []).map(trustView),
    changes: latestChanges(database),
    packages: database.Packages.length.toLocaleString('en-US'),
    files: database.Archives.size.toLocaleString('en-US'),
    bytes: formatBytes(Array.from(database.Archives.values()).reduce((sum, { Size }) => sum + Size, 0)),
    groups: inGroups(rows),
    isLong: rows.length > LONG,
  };
}

/** The keys that sign: those that the database names, where `keys.asc` has them; else all of it. */
function signersOf({ database, keys }: PageSource): readonly PageKey[] {
  const named = new Set(database.Packsign.Signers?.Fingerprints ?? []);
  const signers = keys.filter(({ fingerprint }) => named.has(fingerprint));
  return signers.length === 0 ? keys : signers;
}

function naming({ Description, Maintainer, Packsign }: Database): Pick<PageView, 'title' | 'description'> {
  const text = Description.trim();
  if (text !== '' && text.length <= TITLE_LENGTH && !text.includes('\n'))
    return { title: text, description: null };
  const place = Packsign.Database === undefined ? null : placeOf(Packsign.Database);
  const title = place ?? (Maintainer === undefined ? 'Signed packages' : `Packages of ${Maintainer}`);
  return {
    title: shorten(title, TITLE_LENGTH),
    description: text === '' ? null : shorten(text, DESCRIPTION_LENGTH),
  };
}

/** `example.org/dist` of `https://example.org/dist/packages.plist`. */
function placeOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { host, pathname } = new URL(url);
  return `${host}${pathname.replace(/\/[^/]*$/, '')}`;
}

// Whoever scans it comes to the page, and the page compares what the code on paper says with what it shows.
function qrText(url: string | null, fingerprints: readonly string[]): string {
  const list = fingerprints.join('+');
  if (url !== null && URL.canParse(url)) return `${besideUrl(url, '')}#${list}`;
  return fingerprints.length === 1 ? `OPENPGP4FPR:${list}` : list;
}

/** The address of what lies beside a database. */
function besideUrl(url: string, name: string): string {
  return url.replace(/[?#].*$/, '').replace(/[^/]*$/, name);
}

function keyView({ fingerprint, userIds, created, expires }: PageKey, id: string): KeyView {
  return {
    id,
    fingerprint,
    halves: halvesOf(fingerprint),
    userIds: userIds.map((userId) => shorten(cleanText(userId), REASON_LENGTH)),
    created: momentOf(created),
    expires: expires === null ? null : momentOf(expires),
  };
}

function halvesOf(fingerprint: string): KeyView['halves'] {
  const groups = fingerprint.match(/.{1,4}/g) ?? [];
  return [groups.slice(0, 5), groups.slice(5)];
}

function firstUserId(keys: readonly PageKey[]): string {
  return shorten(cleanText(keys[0]?.userIds[0] ?? ''), TITLE_LENGTH);
}

function trustView({ URL: url, Fingerprints, Threshold, Maintainer }: Trust, index: number): TrustView {
  const address = safeAddress(url) ?? '';
  const id = `trust-${index + 1}`;
  return {
    id,
    url: address,
    keysUrl: besideUrl(address, KEYS_NAME),
    maintainer: Maintainer === undefined ? null : shorten(Maintainer, REASON_LENGTH),
    threshold: Threshold ?? 1,
    keys: Fingerprints.map((fingerprint, at) => ({
      id: `${id}-${at + 1}`,
      fingerprint,
      halves: halvesOf(fingerprint),
    })),
    command:
      commandsFor({ url: address, fingerprints: Fingerprints, threshold: Threshold ?? 1, userId: '' })[0]
        ?.lines[0] ?? '',
  };
}

function rowsOf(database: Database): readonly Row[] {
  const summaries = new Map(database.Packages.map((entry) => [identityOf(entry), entry.Description]));
  const byName = new Map<string, Entry[]>();
  for (const [path, entry] of database.Archives) {
    const row = { path, row: fileRow(path, entry, summaries.get(identityOf(entry))) };
    const same = byName.get(entry.Name);
    if (same === undefined) byName.set(entry.Name, [row]);
    else same.push(row);
  }
  const names = Array.from(byName.keys(), (name) => ({ name, folded: name.toLowerCase() }))
    .sort((a, b) => compareText(a.folded, b.folded) || compareText(a.name, b.name))
    .map(({ name }) => name);
  const listed = new Set(Array.from(database.Archives.values(), identityOf));
  const pseudo = database.Packages.filter(
    (entry) => entry['Download-URL'] === undefined && !listed.has(identityOf(entry)),
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
  const compare = versionOrder(
    entries.map(({ row }) => row.version),
    { isNpm },
  );
  return [...entries]
    .sort((a, b) => compare(b.row.version, a.row.version) || compareText(a.path, b.path))
    .map(({ row }) => row);
}

function identityOf({ Name, Version, Flavor }: Pick<Package, 'Name' | 'Version' | 'Flavor'>): string {
  return `${Name} ${Version ?? ''} ${Flavor ?? ''}`;
}

function fileRow(path: string, entry: FileEntry, description: string | undefined): Row {
  const { Name, Version, Flavor, Size, SHA256, Since, Yanked } = entry;
  const summary = description === undefined || description === `${Name} ${Version}` ? '' : description;
  const isYanked = Yanked !== undefined;
  return {
    name: Name,
    version: Version,
    flavor: Flavor,
    summary: oneLine(summary, SUMMARY_LENGTH),
    href: isYanked ? null : downloadUrl(path, {}),
    path: isYanked ? path : null,
    size: formatBytes(Size),
    day: formatInstant(Since).slice(0, 10),
    sha256: SHA256,
    yanked: isYanked ? oneLine(Yanked, REASON_LENGTH) : null,
  };
}

function pseudoRow({ Name, Version, Flavor, Description }: Package): Row {
  return {
    name: Name,
    version: Version ?? '',
    flavor: Flavor ?? '',
    summary: oneLine(Description === Name ? '' : Description, SUMMARY_LENGTH),
    href: null,
    path: null,
    size: '',
    day: '',
    sha256: null,
    yanked: null,
  };
}

function inGroups(rows: readonly Row[]): readonly (readonly Row[])[] {
  return Array.from({ length: Math.ceil(rows.length / GROUP_ROWS) }, (_, index) =>
    rows.slice(index * GROUP_ROWS, (index + 1) * GROUP_ROWS),
  );
}

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);

function momentOf(date: Date): Moment {
  const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()] ?? ''} ${date.getUTCFullYear()}`;
  return { iso: formatInstant(date), day };
}

/** An address that a link may have, or null: a `javascript:` one would run (threat T18). */
function safeAddress(address: string): string | null {
  return /^(?:https?:\/\/|mailto:)[!-~]+$/.test(address) ? address : null;
}

function shorten(text: string, length: number): string {
  const points = Array.from(text);
  return points.length <= length ? text : `${points.slice(0, length).join('').trimEnd()} …`;
}

/** `1.4 MB`. */
function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? ''}`;
}
