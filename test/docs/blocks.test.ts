import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkSettings } from '../../src/format/settings.js';
import { newPlace } from '../packsign.js';
import PROGRAMS from '../programs.json' with { type: 'json' };
import { needTools } from '../tools.js';
import type { Program } from '../tools.js';
import { DOCUMENTS, blocksOf, stepsOf } from './blocks.js';
import type { Block } from './blocks.js';
import { agrees, ofDocument, ofRun } from './names.js';
import type { Names } from './names.js';
import { newSession } from './session.js';
import type { Session } from './session.js';

/** PACKSIGN_WRITE_DOCS=1 writes the outputs of this run into the documents, in place of those that differ. */
const isWriting = process.env['PACKSIGN_WRITE_DOCS'] === '1';

const RUN = ['given', 'console', 'sh'];

const isRun = ({ language, reason }: Block) => RUN.includes(language) && reason === null;

/** The programs of programs.json that a document uses. */
function programsOf(blocks: readonly Block[]): readonly Program[] {
  const words = new Set(blocks.flatMap(({ text }) => text.match(/[\w-]+/g) ?? []));
  return (Object.keys(PROGRAMS) as Program[]).filter((name) => words.has(name));
}

/** Runs a block, and gives its text with the outputs of this run where those of the document differ. */
async function play(block: Block, session: Session, names: Names): Promise<string> {
  const steps = stepsOf(block);
  let played = '';
  for (const [index, { command, expected }] of steps.entries()) {
    const { output, status } = await session.run(ofRun(command.replace(/^> /gm, ''), names));
    expect.soft(status, `${command}${output}`).toBe(index === steps.length - 1 ? block.status : 0);
    const isShown = expected !== null && !agrees(expected, output, names);
    played += `$ ${command}${isShown ? ofDocument(output, names) : (expected ?? '')}`;
  }
  return block.language === 'console' ? played : block.text;
}

describe.each(DOCUMENTS.filter((document) => blocksOf(document).some(isRun)))('%s', (document) => {
  const blocks = blocksOf(document).filter(isRun);

  test('its commands do what it says, one after the other', async (context) => {
    needTools(context, ...programsOf(blocks));
    const session = await newSession();
    const names: Names = new Map();
    const played: string[] = [];
    try {
      for (const block of blocks) played.push(await play(block, session, names));
    } finally {
      await session.end();
    }
    if (isWriting) write(document, played);
    else expect(played.join('```\n')).toBe(blocks.map(({ text }) => text).join('```\n'));
  });
});

function write(document: string, texts: readonly string[]): void {
  const blocks = blocksOf(document).filter(isRun);
  let written = readFileSync(document, 'utf8');
  for (const [index, { language, text, at }] of Array.from(blocks.entries()).reverse()) {
    if (language !== 'given')
      written = written.slice(0, at) + texts[index]! + written.slice(at + text.length);
  }
  writeFileSync(document, written);
}

test('only these commands are not run, for a reason', () => {
  const left = DOCUMENTS.flatMap((document) =>
    blocksOf(document)
      .filter(({ language, reason }) => RUN.includes(language) && reason !== null)
      .map(({ text, reason }) => `${document}: ${text.split('\n')[0]!}: ${reason!}`),
  );
  expect(left).toMatchInlineSnapshot(`
    [
      "README.md: npm install --global "$(npm pack --silent git+https://packsign.example/packsign.git)": it fetches from the address of the project; a test installs from a local repository instead",
      "docs/CI.md: install -m 700 -d ~/.ssh && echo "$KNOWN_HOST" > ~/.ssh/known_hosts && (umask 077; echo "$SSH_KEY" > ~/.ssh/id_ed25519): it replaces the keys of ssh",
      "docs/OPERATIONS.md: cp packsign.service /etc/systemd/system/: they change the services of this machine",
      "docs/PUBLISHING.md: packsign publish dist www.example.org:/srv/www/dist    # rsync through ssh; rsync://HOST/MODULE for a daemon: they need a host and a bucket of yours; test/upload and test/servers use real ones",
      "docs/SCALE.md: mkdir own: they need a bucket of yours; test/cli/bucket and test/upload/real-bucket use a store",
      "docs/SCALE.md: packsign build s3://BUCKET/dist --shard 1/3 --output part-1.json    # on one machine,: they need a bucket of yours; test/cli/merge uses a store",
      "docs/SCALE.md: export PACKSIGN_QUEUE=rediss://USER:PASSWORD@HOST:6379: it needs a bucket and a queue of yours; test/cli/queue uses real ones",
      "docs/SCALE.md: redis-server --appendonly yes --maxmemory-policy noeviction: it is a server that stays",
      "docs/WATCHING.md: packsign watch dist --key key.asc --on-failure "mail -s 'releases: something is wrong' you@example.org": it waits for releases until it is stopped; test/watch/hooks does it",
    ]
  `);
});

test('every block says what it is, and no command is outside of one', () => {
  for (const document of DOCUMENTS) {
    const languages = blocksOf(document).map(({ language }) => language);
    const known = [...RUN, 'ini', 'js', 'json', 'text', 'xml', 'yaml'];
    expect(
      languages.filter((language) => !known.includes(language)),
      document,
    ).toEqual([]);
    const indented = readFileSync(document, 'utf8').replace(/^```[^]*?^```$/gm, '');
    expect(
      indented.match(/^(?: {4}|\t)(?:\$ )?(?:packsign|gpgv?|sqv?|npm|git|sha256sum) .*$/gm),
      document,
    ).toBe(null);
  }
});

test('every block of JSON is a packsign.json that packsign takes', () => {
  const blocks = DOCUMENTS.flatMap(blocksOf).filter(({ language }) => language === 'json');
  expect(blocks.length).toBeGreaterThan(1);
  for (const { text } of blocks) expect(() => checkSettings(JSON.parse(text)), text).not.toThrow();
});

test('the picture in README.md is of the run in docs/KEYS.md', () => {
  const drawn = join(newPlace().root, 'run.svg');
  const { status, stderr } = spawnSync(process.execPath, ['scripts/picture.mjs', drawn], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  if (isWriting) copyFileSync(drawn, 'docs/run.svg');
  expect(readFileSync('docs/run.svg', 'utf8')).toBe(readFileSync(drawn, 'utf8'));
});

test('every link leads to a file, and to a heading of it', () => {
  const anchors = (path: string) =>
    (readFileSync(path, 'utf8').match(/^#+ .*$/gm) ?? []).map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );
  const broken = [...DOCUMENTS, 'CONTRIBUTING.md', 'SECURITY.md'].flatMap((document) =>
    Array.from(readFileSync(document, 'utf8').matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g))
      .filter(([, path = '', anchor]) => {
        const target = path === '' ? document : join(dirname(document), path);
        return !existsSync(target) || (anchor !== undefined && !anchors(target).includes(anchor));
      })
      .map(([link]) => `${document}: ${link}`),
  );
  expect(broken).toEqual([]);
});
