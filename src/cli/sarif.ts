import { createHash } from 'node:crypto';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { ruleOf } from '../index.js';
import type { DirectoryFinding, LintResult } from '../index.js';
import { hintFor } from './hint.js';
import { harmless, harmlessJson } from './terminal.js';
import { version } from './version.js';

/**
 * A lint as SARIF 2.1.0 (OASIS), with what code hosts ask for: rules with help, a place for each result, and fingerprints
 * by which they know a finding again. Places are relative to the current folder, which is
 * the repository there; those of a directory elsewhere to that directory.
 */
export function sarifOf({ findings }: LintResult, directory: string): string {
  const codes = Array.from(new Set(findings.map(({ code }) => code))).sort();
  const times = new Map<string, number>();
  const results = findings.map((finding) => {
    const mark = markOf(finding);
    times.set(mark, (times.get(mark) ?? 0) + 1);
    const { code, level, message, hint } = finding;
    const next = hintFor(hint, { directory });
    return {
      ruleId: code,
      ruleIndex: codes.indexOf(code),
      level,
      message: { text: textOf(next === null ? message : `${message}; ${next}`) },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: uriOf(finding, directory) },
            region: { startLine: 1 },
          },
        },
      ],
      partialFingerprints: { primaryLocationLineHash: `${mark}:${times.get(mark) ?? 1}` },
    };
  });
  const driver = { name: 'packsign', version: version(), rules: codes.map(ruleIn) };
  return harmlessJson({
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, columnKind: 'utf16CodeUnits', results }],
  });
}

function ruleIn(code: string): object {
  const { level, summary, hint } = ruleOf(code);
  return {
    id: code,
    shortDescription: { text: textOf(summary) },
    fullDescription: { text: textOf(summary) },
    help: { text: textOf(hint ?? summary) },
    defaultConfiguration: { level },
  };
}

/** Marks of SARIF's own, for placeholders and links, stand for themselves where they are escaped. */
function textOf(text: string): string {
  return harmless(text.replaceAll('\n', '; '))
    .replace(/[{}]/g, '$&$&')
    .replace(/[\\[\]]/g, '\\$&');
}

/** The file; for a finding about the whole, the one that a person changes. */
function uriOf({ path, code }: DirectoryFinding, directory: string): string {
  const name = path ?? (code.startsWith('KEY') ? 'keys.asc' : 'packsign.json');
  const near = relative('', resolve(directory, name));
  const isBelow = !isAbsolute(near) && !/^\.\.(?:[\\/]|$)/.test(near);
  return (isBelow ? near : name).split(sep).map(encodeURIComponent).join('/');
}

/** The same for the same finding the next time, whatever numbers and dates it mentions. */
function markOf({ code, path, message }: DirectoryFinding): string {
  const lasting = JSON.stringify([code, path, message.replace(/\d+/g, '')]);
  return createHash('sha256').update(lasting).digest('hex').slice(0, 16);
}
