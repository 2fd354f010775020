import { join } from 'node:path';
import { formatBytes } from '../index.js';
import type { SplitDatabase, SplitPlan } from '../index.js';
import type { Report } from './command.js';
import { hintFor, typedIn } from './hint.js';
import type { Typed } from './hint.js';
import { signingCommand } from './report.js';
import type { KeyBy } from './report.js';
import { count, formatInteger, harmlessJson, shown } from './terminal.js';

// How to divide a directory among databases. Words: lower case, no full stop, no jokes.

export interface SplitReportOptions {
  readonly directory: string;
  readonly limit: number;
  /** Whether the settings say where the directory is published to. */
  readonly isSent: boolean;
  readonly typed: Typed;
  readonly keyBy: KeyBy;
  /** How many keys the commands sign with. */
  readonly keys: number;
}

export function reportSplit(plan: SplitPlan, options: SplitReportOptions): Report {
  const { ok, databaseBytes, unlisted, databases } = plan;
  const commands = commandsFor(plan, options);
  const readers = commands.length === 0 ? [] : readersCommands(plan);
  return {
    json: {
      ...{ ok, directory: options.directory, limit: options.limit, databaseBytes, unlisted },
      ...{ databases: databases.map(databaseJson), commands, readers },
    },
    lines: [
      headline(plan, options),
      ...tableOf(databases),
      ...remarks(plan, options),
      ...(commands.length === 0
        ? []
        : ['', 'type this, or paste it as a whole; it stops at the first failure:', '']),
      ...commands.map((command, index) => (index < commands.length - 1 ? `${command} &&` : command)),
      ...(commands.length === 0 || options.isSent ? [] : ['', uploadWords(plan)]),
      ...(readers.length === 0 ? [] : ['', 'after that, each reader who trusts it types:', '', ...readers]),
    ],
    isExact: true,
    exitStatus: ok ? 0 : 1,
  };
}

function databaseJson({ folder, url, files, bytes, databaseBytes }: SplitDatabase): object {
  return { folder, url, files, bytes, databaseBytes };
}

function headline({ databases, databaseBytes }: SplitPlan, { directory, limit }: SplitReportOptions): string {
  const files = databases.reduce((total, one) => total + one.files, 0);
  const now = databaseBytes === null ? '' : `, in a database of ${formatBytes(databaseBytes)}`;
  const has = `${shown(directory)} has ${count(files, 'file')}${now}`;
  if (files <= limit)
    return `${has}: no more than the ${formatInteger(limit)} of one database, nothing to split`;
  if (databases.length === 1) return `${has}, and no folder to split it by`;
  return `${has}; split into ${databases.length} databases:`;
}

/** Folder, files, their size, and the size of the database. */
function tableOf(databases: readonly SplitDatabase[]): readonly string[] {
  const rows = databases.map(({ folder, files, bytes, databaseBytes }) => [
    shown(folder),
    count(files, 'file'),
    formatBytes(bytes),
    `database of about ${formatBytes(databaseBytes)}`,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map(([folder = '', ...cells]) => {
    const numbers = cells.map((cell, index) => cell.padStart(widths[index + 1] ?? 0));
    return `  ${folder.padEnd(widths[0] ?? 0)}  ${numbers.join('  ')}`;
  });
}

function remarks(plan: SplitPlan, options: SplitReportOptions): readonly string[] {
  const { databases, unlisted, signers } = plan;
  const { limit, keys } = options;
  const [rest, first] = databases;
  const large = databases.filter(({ files }) => files > limit).map(({ folder }) => shown(folder));
  const isLarge = `more than ${formatInteger(limit)} files stay in ${large.join(', ')}, where no folder is large enough to be a database of its own and leaves something; new releases can go into new folders`;
  const isEstimated = `sizes are estimated: ${count(unlisted, 'file')} ${unlisted === 1 ? 'is' : 'are'} in no database yet`;
  const isKept = `${shown(rest?.folder ?? '')} keeps a record of each file that it gives away, for 730 days; its size above includes them`;
  const needs = `each database needs ${signers?.Threshold ?? 1} signatures: name as many keys with --key, or let the others sign each of them, the folders first`;
  return [
    ...(large.length > 0 ? [isLarge] : []),
    ...(first === undefined
      ? []
      : [
          ...(unlisted > 0 ? [isEstimated] : []),
          ...(rest?.isPublished === true ? [isKept] : []),
          ...unknown(plan, options),
          ...(keys > 0 && (signers?.Threshold ?? 1) > keys ? [needs] : []),
        ]),
  ];
}

/** What has to be typed so that the commands can be printed. */
function unknown({ databases, signers }: SplitPlan, options: SplitReportOptions): readonly string[] {
  const { directory, limit, typed, keyBy } = options;
  const hasAddress = databases.every(({ url }) => url !== null);
  const hasKey = signers !== null && keyBy !== null;
  if (hasAddress && hasKey) return [];
  const what = [...(hasAddress ? [] : ['where readers fetch it']), ...(hasKey ? [] : ['which key signs'])];
  const address = hasAddress ? '' : ' --database-url ADDRESS';
  const key = hasKey && keyBy !== '--key' ? '' : ' --key FILE';
  const command = `packsign split DIRECTORY --max-files ${limit}${address}${key}`;
  return [
    `to print the commands, packsign has to know ${what.join(' and ')}: ${hintFor(command, typedIn(typed, directory)) ?? ''}`,
  ];
}

/** What the maintainer types: first the folders, so that no file is without a database at any time. */
function commandsFor({ databases, signers }: SplitPlan, options: SplitReportOptions): readonly string[] {
  const [rest, ...folders] = databases;
  if (rest?.settings == null || options.keyBy === null) return [];
  const { isSent } = options;
  const isShared = (signers?.Fingerprints.length ?? 0) > 1;
  const keys = shown(join(rest.folder, 'keys.asc'));
  // What else was typed is in the packsign.json of each folder.
  const { key, signsWith = [] } = options.typed;
  const words = (command: string, { folder }: SplitDatabase) =>
    hintFor(command, { key, signsWith, directory: folder }) ?? '';
  const building = signingCommand('build', options.keyBy);
  return [
    ...(!rest.isPublished ? [] : [`packsign verify ${shown(rest.folder)} --keys ${keys}`]),
    ...folders.flatMap((one) => [
      ...writing(one),
      ...(isShared ? [`packsign key publish ${shown(one.folder)} --certificate ${keys}`] : []),
      words(one.isPublished ? building : `${building} --first`, one),
    ]),
    ...writing(rest),
    words(`${building}${rest.isPublished ? ' --absent withdraw' : beginning(rest)}`, rest),
    ...(isSent ? [...folders, rest].map(({ folder }) => `packsign publish ${shown(folder)}`) : []),
  ];
}

/** What may be published already is continued, so that no reader is lost. */
function beginning({ settings, url }: SplitDatabase): string {
  const isAsked = settings?.['Database'] !== undefined && url !== null;
  return isAsked ? ` --first --previous ${shown(url)}` : '';
}

function writing({ folder, settings }: SplitDatabase): readonly string[] {
  if (settings === null) return [];
  const text = harmlessJson(settings, 2).replaceAll("'", String.raw`'\''`);
  return [`printf '%s\\n' '${text}' > ${shown(join(folder, 'packsign.json'))}`];
}

function uploadWords({ databases: [rest, ...folders] }: SplitPlan): string {
  const all = folders.map(({ folder }) => shown(folder)).join(', ');
  return `then publish ${all}, and ${shown(rest?.folder ?? '')} last, so that readers find each file all the time`;
}

function readersCommands({ databases: [rest, ...folders] }: SplitPlan): readonly string[] {
  const via = rest?.url ?? null;
  if (via === null) return [];
  return folders.flatMap(({ url }) =>
    url === null ? [] : [`packsign trust add ${shown(url)} --via ${shown(via)}`],
  );
}
