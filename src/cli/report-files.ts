import { formatInstant } from '../index.js';
import type { AskedDatabase, DatabaseAnswer, VerifiedFile, VerifyFilesResult } from '../index.js';
import type { Report } from './command.js';
import { LIST_LIMIT, freshness, limited } from './report.js';
import { PADLOCKS, tellLines, whoseLines } from './report-verify.js';
import { count, harmless, shown } from './terminal.js';

// What `verify FILE…` tells people who downloaded files. Words: lower case, no full stop, no jokes.

export function reportFiles(result: VerifyFilesResult): Report {
  const { ok, status, code, message, files, failures, notices } = result;
  const isOpen = failures.length > 0 || files.some(({ isAmbiguous }) => isAmbiguous);
  const hint = isOpen ? openHint(result) : null;
  return {
    json: {
      ...{ ok, status, code, message },
      files: files.flatMap(fileJson),
      ...(isOpen ? { error: { code, message, hint } } : {}),
    },
    lines: [headline(result), ...limited(badFirst(files), LIST_LIMIT, fileLines), ...adviceLines(result)],
    notices: [
      ...notices.map((notice) => `packsign: warning: ${harmless(notice)}`),
      ...(hint === null ? [] : [errorLine(result), `packsign: hint: ${harmless(hint)}`]),
    ],
    exitStatus: isOpen ? 2 : ok ? 0 : 1,
  };
}

function badFirst(files: readonly VerifiedFile[]): readonly VerifiedFile[] {
  return files.toSorted((a, b) => Number(a.ok) - Number(b.ok));
}

function errorLine({ code, message }: VerifyFilesResult): string {
  return `packsign: error: ${harmless(message ?? '')} (${code ?? ''})`;
}

/** One object for a file; where databases disagree about it, one for each of them. */
function fileJson(file: VerifiedFile): readonly object[] {
  const { path, answers, isAmbiguous, asked } = file;
  const shownOnes = isAmbiguous ? answers : answers.slice(0, 1);
  if (shownOnes.length > 0) return shownOnes.map((answer) => ({ file: path, ...answerJson(answer) }));
  const [only] = asked.length === 1 ? asked : [];
  const { database = null, status = null } = only ?? {};
  const nothing = { name: null, version: null, path: null, since: null };
  return [{ file: path, answer: 'unknown', database, ...nothing, status }];
}

function answerJson({ database: { database, status }, lookup }: DatabaseAnswer): object {
  const entry = 'entry' in lookup ? lookup.entry : null;
  const { Name: name = null, Version: version = null, Since: since = null } = entry ?? {};
  const path = 'path' in lookup ? lookup.path : null;
  return { answer: lookup.kind, database, name, version, path, since, status };
}

function headline({ status, code, message, files }: VerifyFilesResult): string {
  const good = files.filter(({ ok }) => ok).length;
  const [only] = files;
  const word = status === 'unauthenticated' ? 'listed' : 'signed';
  const counted =
    files.length > 1 || only === undefined
      ? [`${good} of ${count(files.length, 'file')} as ${word}`]
      : status === 'refused'
        ? []
        : [`${harmless(only.path)} is as ${word}`];
  const why = [...counted, ...(message === null ? [] : [harmless(message)])].join('; ');
  return `${status} (${PADLOCKS[status]}): ${why}${code === null ? '' : ` (${code})`}`;
}

function fileLines({ path, answers, asked, size, sha256 }: VerifiedFile): string[] {
  if (answers.length === 0) {
    const isAsked = asked.every(({ status }) => status !== 'refused');
    return [`  ${isAsked ? 'unknown' : 'not looked up'}: ${harmless(path)}`];
  }
  return answers.flatMap(({ lookup, database }) => [
    `  ${lookup.kind}: ${harmless(path)}`,
    ...lookupLines(lookup).map((line) => `      ${line}`),
    ...(lookup.kind === 'altered' ? [`      found    sha256 ${sha256}, ${size} bytes`] : []),
    `      ${databaseWords(database)}`,
  ]);
}

/** What is known of the file in the database: path, package, date. */
function lookupLines(lookup: DatabaseAnswer['lookup']): string[] {
  if (lookup.kind === 'unknown') return [];
  if (lookup.kind === 'withdrawn') {
    const { Until, Reason } = lookup.withdrawal;
    const why = Reason === undefined ? '' : `: ${harmless(Reason)}`;
    return [`was ${harmless(lookup.path)} until ${formatInstant(Until)}${why}`];
  }
  const { Name, Version, Since, SHA256, Size } = lookup.entry;
  const what = Name === undefined ? '' : ` (${harmless(Name)} ${harmless(Version ?? '')})`;
  return [
    `is ${harmless(lookup.path)}${what}, since ${formatInstant(Since)}`,
    ...(lookup.kind === 'yanked' ? [`yanked: ${harmless(lookup.reason)}`] : []),
    ...(lookup.kind === 'altered' ? [`expected sha256 ${SHA256}, ${Size} bytes`] : []),
  ];
}

/** Whose database it is; of one that nobody vouches for, its own word about that is worth nothing. */
function databaseWords({ name, database, status, contents }: AskedDatabase): string {
  const where = name === null ? harmless(database) : `${harmless(name)}, ${harmless(database)}`;
  if (contents === null || status === 'unauthenticated') return `in ${where}, which is not authenticated`;
  const { Maintainer, Packsign } = contents;
  const whose = Maintainer === undefined ? '' : `by ${harmless(Maintainer)}, `;
  return `${whose}in ${where}, issued ${formatInstant(Packsign.Issued)}${freshness(Packsign.Expires)}`;
}

/** What to type if the answer is open. */
function openHint({ files, failures }: VerifyFilesResult): string {
  const [file] = files.filter(({ isAmbiguous }) => isAmbiguous);
  const where = file?.answers[0]?.database;
  const path = shown(file?.path ?? files[0]?.path ?? 'FILE');
  if (where !== undefined) {
    return `name the database it should be in: packsign verify ${path} --from ${shown(where.name ?? where.database)}`;
  }
  const target = failures[0]?.target ?? 'NAME';
  const other = files[0]?.asked.find(({ status }) => status !== 'refused');
  const alone = other === undefined ? 'NAME' : shown(other.name ?? other.database);
  return `try again, or ask only one database: packsign verify ${path} --from ${alone}; to stop trusting this one: packsign trust remove ${shown(target)}`;
}

function adviceLines({ status, code, files, suspects }: VerifyFilesResult): string[] {
  const notify = suspects.map((suspect) => suspect.notify).find((address) => address !== null);
  const [first] = files.flatMap(({ answers: [answer] }) => (answer === undefined ? [] : [answer.database]));
  if (status === 'unauthenticated' && first !== undefined) {
    const { database, name } = first;
    const command =
      name === null && !/^[a-z]+:\/\//.test(database)
        ? `packsign verify ${shown(files[0]?.path ?? '')} --database ${shown(database)}`
        : `packsign trust add ${shown(database)}`;
    return whoseLines(command);
  }
  return [...(code === 'FILE_ALTERED' ? ['  do not use it'] : []), ...tellLines(notify ?? null)];
}
