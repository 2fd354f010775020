import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Words that read as translated, or name nobody who acts, and what is said in their place. */
const BETTER: readonly (readonly [said: RegExp, better: string])[] = [
  [/\b(?:is|are) wanted\b/, 'missing …, or expected …'],
  [/--[\w-]+ wants\b/, '--x must be …'],
  [/\bto hold it to\b|\bnothing holds it to\b/, 'to check it against'],
  [/\btrusted blindly\b/, 'trusted without a key'],
  [/\bthat is nobody[’']s\b/, 'unauthenticated'],
  [/\bworth nothing now\b/, 'so it cannot vouch for others now'],
  [/, unasked\b/, 'to an unconditional request'],
  [/\bof no use\b/, 'ignoring …'],
  [/\bthat it does not know\b(?= *['"`])/, 'internal error'],
  [/\bis revoked for a reason\b/, '--reason is required'],
  [/\bstill to come\b/, 'in the future'],
  [/\bso manieth\b/, 'nth'],
  [/\bthe whole way\b/, 'the full build'],
  [
    /(?<![Tt]here )\bis no (?:folder|destination|database|file|address|bucket|fingerprint|region|obstacle)\b/,
    'is not a …',
  ],
  [/\b(?:none|nobody) of ours\b/, 'not written by packsign'],
  [/\blies (?:here|there|neither)\b/, 'is here'],
  [/\bshall (?:be|lie|stand|fetch)\b/, 'must, or the present tense'],
  [/\b(?:make|copy|start|sign|writes)(?: it| the (?:file|archive)|,)? anew\b/, 'again, or a new …'],
  [/\b(?:to mend|mend (?:it|the))\b/, 'fix'],
  [/\blook at (?:AWS_|http_proxy|the (?:address|clock|endpoint|key))/, 'check'],
  [/\bneed do nothing\b/, 'do not have to do anything'],
  [
    /(?:^|[.:;*] |\b(?:for|to) )[Ww]ho (?:can|has|imported|loses|takes)\b/,
    'people who …, or a name for them',
  ],
  [/\b(?:Whoever|whoever) (?:can|knows|reads|steals)\b/, 'anyone who …, or somebody who …'],
  [/\bpast each other\b/, 'independently'],
  [/\bnothing says (?:where|with|in which|that \$)/, 'cannot tell, not set, or no … given'],
  [/\[see there\]/, 'more, as a link'],
  [/\bthe whole was\b|\bof another kind\b/, 'the top-level …, or of the wrong type'],
];

/** Texts for people: of the program without its comments, of the page, and of the documents. */
function textsOf(folder: string, ending: string): readonly (readonly [path: string, text: string])[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !name.includes('decisions'))
    .map((name) => join(folder, name))
    .map((path) => [path, readFileSync(path, 'utf8')]);
}

const withoutComments = (text: string) => text.replace(/^ *(?:\/\/|\/?\*).*$/gm, '');

const TEXTS = [
  ...textsOf('src', '.ts').map(([path, text]) => [path, withoutComments(text)] as const),
  ...textsOf('templates', '.eta'),
  ...textsOf('docs', '.md'),
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md'].map(
    (path) => [path, readFileSync(path, 'utf8')] as const,
  ),
];

test.each(BETTER)('no text for people says %s: %s', (said) => {
  const found = TEXTS.flatMap(([path, text]) =>
    text.split('\n').flatMap((line) => (said.test(line) ? [`${path}: ${line.trim()}`] : [])),
  );
  expect(TEXTS.length).toBeGreaterThan(300);
  expect(found).toEqual([]);
});
